package rewrite

import (
	"fmt"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// functionOf is the local function that a scope belongs to, bodies in it
// included; nil in the model's own graphs.
func functionOf(scope *onnx.Scope) *onnx.Function {
	for scope.Parent != nil {
		scope = scope.Parent
	}
	return scope.Function
}

// addedChanged lists the opset versions, from the oldest that is rewritten on,
// that changed an operator which a rewrite may add: Cast, Mul, Add, Sub,
// DequantizeLinear, DynamicQuantizeLinear, MatMulInteger, ConvInteger, Constant,
// Reshape and Transpose.
var addedChanged = []int64{9, 10, 11, 12, 13, 14, 19, 21, 23, 24, 25, 28}

// otherOpset says why nothing may be added to a local function: one that imports
// another opset than the model may only have operators that are the same in both.
func otherOpset(scope *onnx.Scope, model int64) string {
	if functionOf(scope) == nil {
		return ""
	}
	function := scope.Opset("")
	for _, version := range addedChanged {
		if (function < version) != (model < version) {
			return fmt.Sprintf("its function imports opset %d and the model %d, between which operators changed that a rewrite adds; ONNX wants them the same in both", function, model)
		}
	}
	return ""
}
