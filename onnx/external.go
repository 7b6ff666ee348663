package onnx

import (
	"errors"
	"fmt"
	"strconv"
)

// parseExternal reads the entries of external_data. What cannot be understood
// is an error that comes up when the data are wanted, not when the model is read.
func parseExternal(entries []Property) (*External, error) {
	x := &External{Length: -1}
	var errs []error
	for _, entry := range entries {
		switch entry.Key {
		case "location":
			x.Location = entry.Value
		case "offset", "length":
			n, err := strconv.ParseInt(entry.Value, 10, 64)
			if err != nil || n < 0 {
				errs = append(errs, fmt.Errorf("external data: %s %q is not a number of bytes", entry.Key, entry.Value))
				continue
			}
			if entry.Key == "offset" {
				x.Offset = n
			} else {
				x.Length = n
			}
		case "checksum":
			x.Checksum = entry.Value
		}
	}
	if x.Location == "" {
		errs = append(errs, errors.New("external data: no location is given"))
	}
	return x, errors.Join(errs...)
}

// entries is the inverse of parseExternal.
func (x *External) entries() []Property {
	if x == nil {
		return nil
	}
	list := []Property{{"location", x.Location}}
	if x.Offset != 0 {
		list = append(list, Property{"offset", strconv.FormatInt(x.Offset, 10)})
	}
	if x.Length >= 0 {
		list = append(list, Property{"length", strconv.FormatInt(x.Length, 10)})
	}
	if x.Checksum != "" {
		list = append(list, Property{"checksum", x.Checksum})
	}
	return list
}

// externalLen is the length of the data, by the file's size where it is not stated.
func (s *stored) externalLen() (int64, error) {
	if s.err != nil {
		return 0, s.err
	}
	if s.external.Length >= 0 {
		return s.external.Length, nil
	}
	file, err := s.source.external(s.external.Location)
	if err != nil {
		return 0, err
	}
	length := int64(len(file.data)) - s.external.Offset
	if length < 0 {
		return 0, fmt.Errorf("external data: offset %d is beyond the end of %q, which has %d bytes",
			s.external.Offset, s.external.Location, len(file.data))
	}
	return length, nil
}

func (s *stored) externalBytes() ([]byte, error) {
	length, err := s.externalLen()
	if err != nil {
		return nil, err
	}
	file, err := s.source.external(s.external.Location)
	if err != nil {
		return nil, err
	}
	size, offset := int64(len(file.data)), s.external.Offset
	if offset > size || length > size-offset {
		return nil, fmt.Errorf("external data: %d bytes at offset %d go beyond the end of %q, which has %d bytes",
			length, offset, s.external.Location, size)
	}
	return file.data[offset : offset+length : offset+length], nil
}
