module github.com/onnx-tinyq/onnx-tinyq/cmd/peerbench

go 1.26.0

replace github.com/onnx-tinyq/onnx-tinyq => ../..

require (
	github.com/jedib0t/go-pretty/v6 v6.8.3
	github.com/onnx-tinyq/onnx-tinyq v0.0.0-00010101000000-000000000000
	github.com/spf13/cobra v1.10.2
	github.com/yalue/onnxruntime_go v1.27.0
	golang.org/x/sys v0.49.0
)

require (
	github.com/bmatcuk/doublestar/v4 v4.10.4 // indirect
	github.com/inconshreveable/mousetrap v1.1.0 // indirect
	github.com/mattn/go-runewidth v0.0.16 // indirect
	github.com/rivo/uniseg v0.4.7 // indirect
	github.com/spf13/pflag v1.1.0 // indirect
	golang.org/x/sync v0.24.0 // indirect
	golang.org/x/text v0.22.0 // indirect
	google.golang.org/protobuf v1.36.12 // indirect
)
