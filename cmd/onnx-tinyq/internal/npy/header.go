package npy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// header is what comes before an array's elements: a Python dictionary like
//
//	{'descr': '<f4', 'fortran_order': False, 'shape': (450, 8, 8), }
type header struct {
	kind    string // the type's letter and size in bytes, like f4; S or U for strings
	width   int    // bytes of an element
	order   binary.ByteOrder
	fortran bool // the first dimension varies fastest
	shape   []int
}

var (
	descrEntry   = regexp.MustCompile(`'descr'\s*:\s*'([^']*)'`)
	fortranEntry = regexp.MustCompile(`'fortran_order'\s*:\s*(True|False)`)
	shapeEntry   = regexp.MustCompile(`'shape'\s*:\s*\(([^()]*)\)`)
	elementType  = regexp.MustCompile(`^([<>|=]?)([biufcSU])(\d+)$`)
)

func parseHeader(text string) (h header, err error) {
	descr := descrEntry.FindStringSubmatch(text)
	fortran := fortranEntry.FindStringSubmatch(text)
	shape := shapeEntry.FindStringSubmatch(text)
	if descr == nil || fortran == nil || shape == nil {
		return h, errors.New("it wants 'descr' (of a plain type, without named fields), 'fortran_order' and 'shape'")
	}
	h.fortran = fortran[1] == "True"
	h.shape = []int{}
	for _, field := range strings.Split(shape[1], ",") {
		field = strings.TrimSuffix(strings.TrimSpace(field), "L") // Python 2 wrote 3L
		if field == "" {
			continue
		}
		d, err := strconv.Atoi(field)
		if err != nil || d < 0 {
			return h, fmt.Errorf("%q is not a size", field)
		}
		h.shape = append(h.shape, d)
	}
	if len(h.shape) > 64 {
		return h, fmt.Errorf("%d dimensions are more than NumPy has", len(h.shape))
	}
	return h, h.parseType(descr[1])
}

func (h *header) parseType(descr string) error {
	parts := elementType.FindStringSubmatch(descr)
	if parts == nil {
		return fmt.Errorf("elements of type %q cannot be read; booleans, integers, floats, complex numbers and strings can", descr)
	}
	h.order = binary.LittleEndian
	if parts[1] == ">" {
		h.order = binary.BigEndian
	}
	size, err := strconv.Atoi(parts[3])
	if err != nil || size < 1 || size > 1<<24 {
		return fmt.Errorf("elements of type %q are of no size that can be read", descr)
	}
	h.kind, h.width = parts[2]+parts[3], size
	switch parts[2] {
	case "S":
		h.kind = "S"
	case "U":
		h.kind, h.width = "U", 4*size
	}
	if decoders[h.kind] == nil {
		return fmt.Errorf("elements of type %q have no like in ONNX", descr)
	}
	return nil
}

// formatHeader is everything before the elements of an array in row-major
// order. The elements begin at a multiple of 64 bytes, so that they can be mapped.
func formatHeader(descr string, shape []int) string {
	var dims strings.Builder
	for i, d := range shape {
		if i > 0 {
			dims.WriteString(", ")
		}
		dims.WriteString(strconv.Itoa(d))
	}
	if len(shape) == 1 {
		dims.WriteString(",") // Python's tuple of one
	}
	text := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", descr, dims.String())
	const before = len(magic) + 2 + 2 // version, length
	padding := 64 - (before+len(text)+1)%64
	text += strings.Repeat(" ", padding%64) + "\n"
	length := binary.LittleEndian.AppendUint16(nil, uint16(len(text)))
	return magic + "\x01\x00" + string(length) + text
}
