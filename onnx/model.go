package onnx

// Model is a view of a ModelProto: the file's top message.
//
// Every view in this package is read-only once decoded: an unchanged view is
// encoded as the very bytes it was read from. To change one, take its Clone,
// edit that, and put the clone (and clones of all that enclose it) in its
// place; the clone is encoded field by field, and the fields this package does
// not know are carried over from the original.
type Model struct {
	IRVersion       int64
	ProducerName    string
	ProducerVersion string
	Domain          string
	ModelVersion    int64
	Doc             string
	Opsets          []OpsetImport
	Graph           *Graph
	Functions       []*Function
	Metadata        []Property

	message
	source   *source
	training []*trainingInfo
}

// OpsetImport names the version of one operator set that a model or a function uses.
type OpsetImport struct {
	Domain  string
	Version int64
}

// Property is one entry of a metadata_props list.
type Property struct{ Key, Value string }

// Graph is a view of a GraphProto: the main graph, or a body of If, Loop or Scan.
type Graph struct {
	Name               string
	Nodes              []*Node
	Initializers       []*Tensor
	SparseInitializers []*SparseTensor
	Inputs             []*Value
	Outputs            []*Value
	ValueInfo          []*Value
	Quantization       []*QuantizationAnnotation
	Doc                string
	Metadata           []Property

	message
}

// QuantizationAnnotation is a view of a TensorAnnotation: the names of the
// tensors that hold one tensor's quantization parameters.
type QuantizationAnnotation struct {
	TensorName string
	Parameters []Property

	message
}

// Function is a view of a FunctionProto: a local function, called by nodes
// whose domain, op type and overload are its own.
type Function struct {
	Domain, Name, Overload string
	Inputs, Outputs        []string
	// Attributes are the names of attributes without a default value;
	// AttributeDefaults are those that have one.
	Attributes        []string
	AttributeDefaults []*Attr
	Nodes             []*Node
	Opsets            []OpsetImport
	ValueInfo         []*Value
	Doc               string
	Metadata          []Property

	message
}

// Node is a view of a NodeProto. An empty string among Inputs or Outputs is an
// operand that is left out.
type Node struct {
	Name, Domain, OpType, Overload string
	Inputs, Outputs                []string
	Attrs                          []*Attr
	Doc                            string
	Metadata                       []Property

	message
}

// AttrType says which field of an Attr holds its value, numbered as
// AttributeProto.AttributeType is.
type AttrType int32

// The kinds of attribute.
const (
	AttrUndefined     AttrType = 0
	AttrFloat         AttrType = 1
	AttrInt           AttrType = 2
	AttrString        AttrType = 3
	AttrTensor        AttrType = 4
	AttrGraph         AttrType = 5
	AttrFloats        AttrType = 6
	AttrInts          AttrType = 7
	AttrStrings       AttrType = 8
	AttrTensors       AttrType = 9
	AttrGraphs        AttrType = 10
	AttrSparseTensor  AttrType = 11
	AttrSparseTensors AttrType = 12
	AttrTypeProto     AttrType = 13
	AttrTypeProtos    AttrType = 14
)

// Attr is a view of an AttributeProto. In old files that do not state it, Type
// is what the field that is present says. RefName is set where a function's
// node takes the value from the call's attribute of that name.
type Attr struct {
	Name    string
	RefName string
	Type    AttrType
	Doc     string

	F             float32
	I             int64
	S             []byte
	T             *Tensor
	G             *Graph
	Sparse        *SparseTensor
	TypeProto     *Type
	Floats        []float32
	Ints          []int64
	Strings       [][]byte
	Tensors       []*Tensor
	Graphs        []*Graph
	SparseTensors []*SparseTensor
	TypeProtos    []*Type

	message
}

// Value is a view of a ValueInfoProto: a name and, if known, its type.
type Value struct {
	Name     string
	Type     *Type // nil: not stated
	Doc      string
	Metadata []Property

	message
}

// TypeKind says what a Type describes.
type TypeKind int

// The kinds of type.
const (
	UnknownKind TypeKind = iota
	TensorKind
	SequenceKind
	MapKind
	OptionalKind
	SparseTensorKind
	OpaqueKind
)

// Type is a view of a TypeProto.
type Type struct {
	Kind       TypeKind
	DType      DType // of a tensor's or sparse tensor's elements, or a map's keys
	HasShape   bool  // false: the rank is not known
	Shape      []Dim // of a tensor or sparse tensor
	Elem       *Type // of a sequence's or optional's elements, or a map's values
	Denotation string

	message
}

// Dim is one dimension of a shape: a size, a name, or neither (unknown).
type Dim struct {
	Known      bool   // Size holds
	Size       int64  //
	Param      string // a symbolic name, where the size is free
	Denotation string
}

// Tensor is a view of a TensorProto.
//
// Data gives the elements in row-major order, little-endian, 4-bit and 2-bit
// elements packed low bits first, whichever of raw_data, a typed field or
// external data they are stored in; for String it is nil and Strings holds them.
type Tensor struct {
	Name     string
	Type     DType
	Dims     []int64
	Data     Payload
	Strings  [][]byte
	External *External // where the data lies, if outside the model's file
	Doc      string
	Metadata []Property

	message
}

// External says where a tensor's bytes lie: the data of External data is opened
// inside the model's folder alone.
type External struct {
	Location string
	Offset   int64
	Length   int64 // -1: to the end of the file
	Checksum string
}

// SparseTensor is a view of a SparseTensorProto: Values at Indices of a tensor
// of shape Dims; Indices are [NNZ] linear or [NNZ, rank] coordinates.
type SparseTensor struct {
	Values, Indices *Tensor
	Dims            []int64

	message
}
