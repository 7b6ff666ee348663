// Command onnx-tinyq rewrites ONNX models into models with int8 weights and
// proves, with an executor of its own, that they still compute the same.
package main

import (
	"context"
	"os"
	"os/signal"

	"github.com/spf13/cobra"
)

func main() {
	ignoreWriteSignals()
	ctx, stop := signal.NotifyContext(context.Background(), stopSignals()...)
	// The first signal asks the work to stop; a second one, no longer caught, ends the program.
	context.AfterFunc(ctx, stop)
	cobra.EnableCommandSorting = false // help lists the commands in the order of use
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}
