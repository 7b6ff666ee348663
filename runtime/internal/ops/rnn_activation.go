package ops

import (
	"fmt"
	"math"
	"strings"

	"github.com/onnx-tinyq/onnx-tinyq/runtime/internal/vector"
)

// gateFunction is one of the functions that the recurrent operators name.
type gateFunction struct {
	number func(x float64) float64 // rounded by the caller
	row    func(y, x []float32)    // the same of float32, if there are loops for it
}

// activationParameters says which of alpha and beta a function has, and their
// defaults: those of the ONNX operator of that name, and 1 where there is none.
type activationParameters struct {
	takesAlpha, takesBeta bool
	alpha, beta           float32
	make                  func(alpha, beta float64) gateFunction
}

// activationNamed finds a function by its name, in whatever case.
func activationNamed(name string) (activationParameters, error) {
	plain := func(f func(x float64) float64, row func(y, x []float32)) activationParameters {
		return activationParameters{make: func(_, _ float64) gateFunction { return gateFunction{f, row} }}
	}
	switch strings.ToLower(name) {
	case "sigmoid":
		return plain(sigmoid, vector.Sigmoid), nil
	case "tanh":
		return plain(math.Tanh, vector.Tanh), nil
	case "relu":
		return plain(func(x float64) float64 { return max(0, x) }, vector.Relu), nil
	case "softsign":
		return plain(func(x float64) float64 { return x / (1 + math.Abs(x)) }, nil), nil
	case "softplus":
		return plain(softplus, nil), nil
	case "leakyrelu":
		return activationParameters{takesAlpha: true, alpha: 0.01, make: func(alpha, _ float64) gateFunction {
			return gateFunction{number: func(x float64) float64 {
				if x >= 0 {
					return x
				}
				return alpha * x
			}}
		}}, nil
	case "thresholdedrelu":
		return activationParameters{takesAlpha: true, alpha: 1, make: func(alpha, _ float64) gateFunction {
			return gateFunction{number: func(x float64) float64 {
				if x >= alpha {
					return x
				}
				return 0
			}}
		}}, nil
	case "elu":
		return activationParameters{takesAlpha: true, alpha: 1, make: func(alpha, _ float64) gateFunction {
			return gateFunction{number: func(x float64) float64 {
				if x >= 0 {
					return x
				}
				return alpha * math.Expm1(x)
			}}
		}}, nil
	case "affine":
		return activationParameters{takesAlpha: true, takesBeta: true, alpha: 1, make: func(alpha, beta float64) gateFunction {
			return gateFunction{number: func(x float64) float64 { return alpha*x + beta }}
		}}, nil
	case "scaledtanh":
		return activationParameters{takesAlpha: true, takesBeta: true, alpha: 1, beta: 1, make: func(alpha, beta float64) gateFunction {
			return gateFunction{number: func(x float64) float64 { return alpha * math.Tanh(beta*x) }}
		}}, nil
	case "hardsigmoid":
		return activationParameters{takesAlpha: true, takesBeta: true, alpha: 0.2, beta: 0.5, make: func(alpha, beta float64) gateFunction {
			return gateFunction{number: func(x float64) float64 { return min(max(alpha*x+beta, 0), 1) }}
		}}, nil
	}
	return activationParameters{}, fmt.Errorf("activation %q is not one that recurrent operators know", name)
}

// readActivations gives the functions of each direction. The attributes' alphas
// and betas go, in order, to the functions that have such a parameter.
func readActivations(n *Node, directions int, defaults []string) ([][]gateFunction, error) {
	names := n.Texts("activations")
	if names == nil {
		names = defaults
	}
	if len(names) == len(defaults) && directions == 2 {
		names = append(names[:len(names):len(names)], names...)
	}
	if len(names) < directions*len(defaults) {
		return nil, fmt.Errorf("activations %v: want %d for each of %d directions", names, len(defaults), directions)
	}
	alphas, betas := n.Floats("activation_alpha"), n.Floats("activation_beta")
	next := func(list *[]float32, takes bool, value float32) float64 {
		if takes && len(*list) > 0 {
			value = (*list)[0]
			*list = (*list)[1:]
		}
		return float64(value)
	}
	all := make([][]gateFunction, directions)
	for i, name := range names[:directions*len(defaults)] {
		p, err := activationNamed(name)
		if err != nil {
			return nil, err
		}
		f := p.make(next(&alphas, p.takesAlpha, p.alpha), next(&betas, p.takesBeta, p.beta))
		all[i/len(defaults)] = append(all[i/len(defaults)], f)
	}
	return all, nil
}
