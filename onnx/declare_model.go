package onnx

// The fields of the messages that make up a model, in the order of their
// numbers in onnx.proto. What is not listed here is carried along unread.

func (m *Model) fields(f *fields) {
	integer(f, 1, "ir_version", &m.IRVersion, false)
	f.string(2, "producer_name", &m.ProducerName)
	f.string(3, "producer_version", &m.ProducerVersion)
	f.string(4, "domain", &m.Domain)
	integer(f, 5, "model_version", &m.ModelVersion, false)
	f.string(6, "doc_string", &m.Doc)
	one(f, 7, "graph", &m.Graph)
	list(f, 8, "opset_import", &m.Opsets)
	list(f, 14, "metadata_props", &m.Metadata)
	many(f, 20, "training_info", &m.training)
	many(f, 25, "functions", &m.Functions)
}

// trainingInfo is a view of a TrainingInfoProto. Nothing here looks at training;
// its graphs are known so that tensors of theirs in external data move along.
type trainingInfo struct {
	initialization, algorithm *Graph

	message
}

func (t *trainingInfo) fields(f *fields) {
	one(f, 1, "initialization", &t.initialization)
	one(f, 2, "algorithm", &t.algorithm)
}

func (o *OpsetImport) fields(f *fields) {
	f.string(1, "domain", &o.Domain)
	integer(f, 2, "version", &o.Version, false)
}

func (p *Property) fields(f *fields) {
	f.string(1, "key", &p.Key)
	f.string(2, "value", &p.Value)
}

func (g *Graph) fields(f *fields) {
	many(f, 1, "node", &g.Nodes)
	f.string(2, "name", &g.Name)
	many(f, 5, "initializer", &g.Initializers)
	f.string(10, "doc_string", &g.Doc)
	many(f, 11, "input", &g.Inputs)
	many(f, 12, "output", &g.Outputs)
	many(f, 13, "value_info", &g.ValueInfo)
	many(f, 14, "quantization_annotation", &g.Quantization)
	many(f, 15, "sparse_initializer", &g.SparseInitializers)
	list(f, 16, "metadata_props", &g.Metadata)
}

func (q *QuantizationAnnotation) fields(f *fields) {
	f.string(1, "tensor_name", &q.TensorName)
	list(f, 2, "quant_parameter_tensor_names", &q.Parameters)
}

func (n *Function) fields(f *fields) {
	f.string(1, "name", &n.Name)
	f.strings(4, "input", &n.Inputs)
	f.strings(5, "output", &n.Outputs)
	f.strings(6, "attribute", &n.Attributes)
	many(f, 7, "node", &n.Nodes)
	f.string(8, "doc_string", &n.Doc)
	list(f, 9, "opset_import", &n.Opsets)
	f.string(10, "domain", &n.Domain)
	many(f, 11, "attribute_proto", &n.AttributeDefaults)
	many(f, 12, "value_info", &n.ValueInfo)
	f.string(13, "overload", &n.Overload)
	list(f, 14, "metadata_props", &n.Metadata)
}

func (n *Node) fields(f *fields) {
	f.strings(1, "input", &n.Inputs)
	f.strings(2, "output", &n.Outputs)
	f.string(3, "name", &n.Name)
	f.string(4, "op_type", &n.OpType)
	many(f, 5, "attribute", &n.Attrs)
	f.string(6, "doc_string", &n.Doc)
	f.string(7, "domain", &n.Domain)
	f.string(8, "overload", &n.Overload)
	list(f, 9, "metadata_props", &n.Metadata)
}

func (a *Attr) fields(f *fields) {
	// The value that the type names is written even where it is a zero: a
	// reader that asks for its presence finds it.
	is := func(t AttrType) bool { return a.Type == t && a.RefName == "" }
	f.string(1, "name", &a.Name)
	f.float(2, "f", &a.F, is(AttrFloat))
	integer(f, 3, "i", &a.I, is(AttrInt))
	f.data(4, "s", &a.S, is(AttrString))
	one(f, 5, "t", &a.T)
	one(f, 6, "g", &a.G)
	f.floats(7, "floats", &a.Floats)
	f.ints(8, "ints", &a.Ints)
	f.dataList(9, "strings", &a.Strings)
	many(f, 10, "tensors", &a.Tensors)
	many(f, 11, "graphs", &a.Graphs)
	f.string(13, "doc_string", &a.Doc)
	one(f, 14, "tp", &a.TypeProto)
	many(f, 15, "type_protos", &a.TypeProtos)
	integer(f, 20, "type", &a.Type, false)
	f.string(21, "ref_attr_name", &a.RefName)
	one(f, 22, "sparse_tensor", &a.Sparse)
	many(f, 23, "sparse_tensors", &a.SparseTensors)
}

// settle infers the type of an attribute from before IR version 2, when it was
// not stated, from the field that holds a value.
func (a *Attr) settle(_ *decoder, seen uint64) error {
	if a.Type != AttrUndefined {
		return nil
	}
	for _, holds := range []struct {
		number int
		t      AttrType
	}{
		{2, AttrFloat}, {3, AttrInt}, {4, AttrString}, {5, AttrTensor}, {6, AttrGraph},
		{7, AttrFloats}, {8, AttrInts}, {9, AttrStrings}, {10, AttrTensors}, {11, AttrGraphs},
		{22, AttrSparseTensor}, {23, AttrSparseTensors}, {14, AttrTypeProto}, {15, AttrTypeProtos},
	} {
		if seen&(1<<holds.number) != 0 {
			a.Type = holds.t
			return nil
		}
	}
	return nil
}
