package onnx

// message is what every view keeps of where it came from.
type message struct {
	raw  []byte // the message's bytes, while the view is unchanged
	base []byte // of a clone: the bytes of the view it was cloned from
}

func (m *message) meta() *message { return m }

// derived is what a clone keeps: bytes to take unknown fields and the order of
// fields from, but none that stand for the whole message.
func (m message) derived() message {
	if m.raw != nil {
		return message{base: m.raw}
	}
	return message{base: m.base}
}
