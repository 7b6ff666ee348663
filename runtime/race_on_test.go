//go:build race

package runtime

// raceDetector says whether the tests run under the race detector.
const raceDetector = true
