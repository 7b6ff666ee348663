// Package onnx reads, edits and writes ONNX models.
//
//	model.onnx ──Open──▶ Model ─Graph─▶ Node, Value, Tensor   views over the file's bytes
//	                       │                     │
//	   NewIndex, Check,    │                     │ Clone: a copy to edit, which
//	   Format: look, and ◀─┤                     ▼ remembers the original's bytes
//	   change nothing      │              edited views, new ones
//	                       ▼                     │
//	              Encode, WriteFile ◀────────────┘
//	   what is unchanged: the bytes as they were
//	   what is edited:    field by field, unknown fields in their places
//	   what is promised:  payloads, each asked for its bytes when it is written
//
// # Views
//
// A decoded model is a tree of views, and views are read-only. To change one,
// clone it and all that enclose it, from the model down, and edit the clones:
// a shallow copy each, so that an edit costs what it touches. The original
// stays as it is and may be used on.
//
// A model that was not changed is encoded as the bytes it was read from. Of an
// edited view each known field is written where its first record was, each
// unknown one as it was; fields that are new come at the end. A field whose
// value was not changed keeps its records, so that a default that was spelled
// out stays spelled out. What this package has no name for (device
// configurations, whatever future versions add) goes through any edit.
//
// # Names
//
// An [Index] tells, for each [Scope] (the main graph, the bodies of If, Loop and
// Scan, local functions), who defines a name and who reads it. [Scope.Constant]
// sees through the nodes that exporters put between a weight and its reader.
//
// # Weights
//
// A [Tensor]'s [Payload] has its length at hand; its bytes are read when they
// are asked for. A payload may lie in the model's file, which is mapped rather
// than read, in external data, which is opened inside the model's folder alone,
// or may be computed by whoever made it.
//
// # Trust
//
// Files may be hostile. Whatever they hold, reading gives a model or an error
// that says where it is; nothing is allocated because a file claims a size.
// A model that can be read may still be unsound: see [Check].
package onnx
