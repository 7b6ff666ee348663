package onnx

import (
	"errors"
	"fmt"
	"strings"
)

// FormatError reports bytes that are not a model: where in the message tree
// and where in the file they were met.
type FormatError struct {
	Path   string // of the message, like graph.node[3].attribute[0]; "" for the model itself
	Offset int64  // in bytes from the start of the model's file
	Err    error
}

// Error gives the path, the offset and the cause.
func (e *FormatError) Error() string {
	where := e.Path
	if where == "" {
		where = "model"
	}
	return fmt.Sprintf("onnx: %s at byte %d: %v", where, e.Offset, e.Err)
}

// Unwrap returns the cause.
func (e *FormatError) Unwrap() error { return e.Err }

// under puts a path element in front of the path of a FormatError that comes
// from a message inside that element.
func under(element string, err error) error {
	var format *FormatError
	if !errors.As(err, &format) {
		return err
	}
	if format.Path == "" {
		format.Path = element
	} else {
		format.Path = strings.Join([]string{element, format.Path}, ".")
	}
	return format
}
