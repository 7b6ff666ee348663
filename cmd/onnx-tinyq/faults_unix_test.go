//go:build unix

package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// The tests below run the program, which TestMain has put on the path under its
// own name, and do to it what happens to programs.

// program is the program with arguments, and what it prints to standard error.
func program(args ...string) (*exec.Cmd, *bytes.Buffer) {
	command, stderr := exec.Command("onnx-tinyq", args...), &bytes.Buffer{}
	command.Stderr = stderr
	return command, stderr
}

// leftover is the name of what a program leaves behind that was killed.
var leftover = regexp.MustCompile(`^\..*\.tmp$`)

// contents reads the files of a folder; those with leftover names apart.
func contents(t *testing.T, folder string) (files map[string]string, left []string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	files = map[string]string{}
	for _, entry := range entries {
		if leftover.MatchString(entry.Name()) {
			left = append(left, entry.Name())
		} else {
			files[entry.Name()] = string(read(t, filepath.Join(folder, entry.Name())))
		}
	}
	return files, left
}

// externalSource is a model of half a megabyte whose weights are in external data.
func externalSource(t *testing.T) string {
	t.Helper()
	m, err := onnx.Open(filepath.Join("..", "..", "testdata", "models", "digits_vit", "model.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	path := filepath.Join(t.TempDir(), "model.onnx")
	if err := onnx.WriteFile(path, m, onnx.WriteOptions{ExternalData: onnx.ExternalAlways}); err != nil {
		t.Fatal(err)
	}
	return path
}

// state is what a model's file and its external data say, read as a user would;
// "" if there is no file. What cannot be read is an error.
func state(path string) (string, error) {
	m, err := onnx.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer m.Close()
	if _, err := onnx.Check(m); err != nil {
		return "", err
	}
	var all strings.Builder
	for _, w := range m.Graph.Initializers {
		b, err := w.RawBytes()
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&all, "%s %v %x\n", w.Name, w.Type, b)
	}
	return all.String(), nil
}

// TestKilledAtAnyMoment kills the program at 200 random moments while it replaces
// the result of another recipe: after each there is the one result or the other,
// whole, and the next run is not disturbed by what was left behind.
func TestKilledAtAnyMoment(t *testing.T) {
	wholeProgram(t)
	const kills = 200
	source := externalSource(t)
	sourceBefore, _ := contents(t, filepath.Dir(source))
	folder := t.TempDir()
	output := filepath.Join(folder, "out.onnx")
	rewriteTo := func(output, recipe string) *exec.Cmd {
		command, _ := program("rewrite", source, "-o", output, "--recipe", recipe, "--check", "off", "--external-data", "always", "--quiet")
		return command
	}
	recipes := []string{"w8a32", "w8a16"}
	results := map[string]string{"": "nothing"} // what each state is the result of
	took := time.Duration(0)
	for _, recipe := range recipes {
		alone := filepath.Join(t.TempDir(), "out.onnx")
		begin := time.Now()
		if err := rewriteTo(alone, recipe).Run(); err != nil {
			t.Fatal(err)
		}
		took = max(took, time.Since(begin))
		s, err := state(alone)
		if err != nil {
			t.Fatal(err)
		}
		results[s] = recipe
	}
	if len(results) != 3 {
		t.Fatal("the recipes give the same result: there is nothing to tell apart")
	}
	const seed = 1
	random := rand.New(rand.NewPCG(seed, 0))
	counts := map[string]int{}
	was := "nothing"
	for i := range kills {
		recipe := recipes[i%2]
		command := rewriteTo(output, recipe)
		begin := time.Now()
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(random.Int64N(int64(took * 6 / 5))))
		_ = command.Process.Kill() // it may have ended by itself
		err := command.Wait()
		if err == nil {
			took = (took + min(took, time.Since(begin))) / 2 // the machine has less to do than it had
		}
		s, unread := state(output)
		now, known := results[s]
		_, left := contents(t, folder)
		switch {
		case unread != nil:
			t.Fatalf("kill %d: the output is half-written: %v", i, unread)
		case !known || now != was && now != recipe:
			t.Fatalf("kill %d of %s: there was the result of %s, now there is another than of the one or the other", i, recipe, was)
		case err == nil && now != recipe:
			t.Fatalf("kill %d: success was reported, but the output is the result of %s, not %s", i, now, recipe)
		case err == nil:
			counts["done before"]++
		case len(left) > counts["left"]:
			counts["while it wrote"]++
		case now != was:
			counts["after it wrote"]++
		default:
			counts["before it wrote"]++
			took += took / 50 // or more
		}
		counts["left"], was = len(left), now
	}
	if err := rewriteTo(output, "w8a32").Run(); err != nil {
		t.Fatal(err)
	}
	if s, err := state(output); results[s] != "w8a32" {
		t.Errorf("after all kills a run gives another result: %v", err)
	}
	if after, left := contents(t, filepath.Dir(source)); fmt.Sprint(after) != fmt.Sprint(sourceBefore) || len(left) > 0 {
		t.Error("the source has changed")
	}
	t.Logf("seed %d, %d kills within %v: %v", seed, kills, took*6/5, counts)
	if counts["while it wrote"] == 0 || counts["before it wrote"] == 0 {
		t.Errorf("%v: the moments are not spread over the run", counts)
	}
}

// TestAskedToStop interrupts the program at random moments: it leaves the old
// output or the new one, and no temporary file.
func TestAskedToStop(t *testing.T) {
	wholeProgram(t)
	source := externalSource(t)
	folder := t.TempDir()
	output := filepath.Join(folder, "out.onnx")
	const seed, times = 2, 60
	random := rand.New(rand.NewPCG(seed, 0))
	stopped := 0
	begin := time.Now()
	command, stderr := program("rewrite", source, "-o", output, "--check", "off", "--external-data", "always", "--quiet")
	if err := command.Run(); err != nil {
		t.Fatal(err, stderr)
	}
	took := time.Since(begin)
	for i := range times {
		signal := []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP}[i%3]
		command, stderr := program("rewrite", source, "-o", output, "--check", "off", "--external-data", "always", "--quiet")
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(took/10 + time.Duration(random.Int64N(int64(took))))
		_ = command.Process.Signal(signal)
		err := command.Wait()
		var exit *exec.ExitError
		switch {
		case err == nil:
		case errors.As(err, &exit) && exit.ExitCode() == exitFailed && strings.Contains(stderr.String(), "interrupted"):
			stopped++
		case errors.As(err, &exit) && exit.ExitCode() == -1: // the signal came before the program could listen
		default:
			t.Errorf("%v: %v: %s", signal, err, stderr)
		}
		if _, left := contents(t, folder); len(left) > 0 {
			t.Fatalf("%v: %v is left", signal, left)
		}
		if _, err := state(output); err != nil {
			t.Fatalf("%v: %v", signal, err)
		}
	}
	t.Logf("seed %d: %d of %d were stopped", seed, stopped, times)
}

// fails runs the program and wants an exit code, and one line on standard error
// with a text in it.
func fails(t *testing.T, code int, says string, command *exec.Cmd, stderr *bytes.Buffer) {
	t.Helper()
	err := command.Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != code || !strings.Contains(stderr.String(), says) || strings.Count(stderr.String(), "\n") != 1 {
		t.Errorf("%v: %v: %q, want exit code %d and %q", command.Args, err, stderr, code, says)
	}
}

// failsWithin is fails, and nothing may have changed in a folder.
func failsWithin(t *testing.T, folder string, code int, says string, command *exec.Cmd, stderr *bytes.Buffer) {
	t.Helper()
	before := listing(t, folder)
	fails(t, code, says, command, stderr)
	if after := listing(t, folder); after != before {
		t.Errorf("%v: the folder was changed: there was\n%sand now there is\n%s", command.Args, before, after)
	}
}

// listing describes what is in a folder, without opening any of it.
func listing(t *testing.T, folder string) string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	var list strings.Builder
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&list, "%s %v %d bytes of %v\n", entry.Name(), info.Mode(), info.Size(), info.ModTime())
	}
	return list.String()
}

// A file that may not grow, as under `ulimit -f`, is an error as a full disk is.
func TestFileSizeLimit(t *testing.T) {
	source := externalSource(t)
	for _, mode := range []string{"always", "never"} {
		for _, blocks := range []int{0, 1, 16, 100, 200} {
			folder := t.TempDir()
			args := []string{"-c", fmt.Sprintf(`ulimit -f %d && exec onnx-tinyq "$@"`, blocks), "sh",
				"rewrite", source, "-o", filepath.Join(folder, "out.onnx"), "--check", "off", "--external-data", mode}
			command, stderr := exec.Command("sh", args...), &bytes.Buffer{}
			command.Stderr = stderr
			failsWithin(t, folder, exitFailed, "ulimit -f", command, stderr)
		}
	}
}

// Standard output that takes nothing, or that nobody reads, is an error too, and
// what was gathered for it does not stay behind.
func TestStandardOutputFails(t *testing.T) {
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	for _, source := range []string{externalSource(t), filepath.Join("..", "..", "testdata", "models", "digits_vit", "model.onnx")} {
		full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		if err != nil {
			t.Skip("SKIPPED: this system has no /dev/full: ", err)
		}
		defer full.Close()
		command, stderr := program("rewrite", source, "-o", "-", "--check", "off", "--quiet")
		command.Stdout = full
		failsWithin(t, temporary, exitFailed, "no space left", command, stderr)

		read, write, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		read.Close()
		defer write.Close()
		command, stderr = program("rewrite", source, "-o", "-", "--check", "off", "--quiet")
		command.Stdout = write
		failsWithin(t, temporary, exitFailed, "broken pipe", command, stderr)
	}
}

// What is no regular file is not replaced, and neither is what the model is read
// from, whatever it is called.
func TestOutputsThatAreRefused(t *testing.T) {
	source := externalSource(t)
	folder := filepath.Dir(source)
	data := source + ".data"
	other := t.TempDir()
	name := func(element ...string) string { return filepath.Join(append([]string{folder}, element...)...) }
	for _, err := range []error{
		unix.Mkfifo(name("pipe.onnx"), 0o644),
		os.Symlink("/dev/null", name("device.onnx")),
		os.Mkdir(name("folder.onnx"), 0o755),
		os.Link(source, name("hard.onnx")),
		os.Symlink("model.onnx", name("soft.onnx")),
		os.Symlink("soft.onnx", name("softer.onnx")),
		os.Symlink("model.onnx.data", name("softdata.onnx")),
		os.Link(data, name("harddata.onnx")),
		os.Symlink(folder, filepath.Join(other, "way")),
		os.Symlink("/proc/self/fd/1", name("stdout.onnx")),
	} {
		if err != nil {
			t.Skip("SKIPPED: such files cannot be made here: ", err)
		}
	}
	for output, says := range map[string]string{
		name("pipe.onnx"):                     "no regular file",
		name("device.onnx"):                   "no regular file",
		name("stdout.onnx"):                   "no regular file",
		"/dev/null":                           "no regular file",
		name("folder.onnx"):                   "is a folder",
		folder:                                "is a folder",
		source:                                "never overwritten",
		folder + "/./model.onnx":              "never overwritten",
		folder + "/folder.onnx/../model.onnx": "never overwritten",
		filepath.Join(other, "way", "model.onnx"): "never overwritten",
		name("hard.onnx"):                         "never overwritten",
		name("soft.onnx"):                         "never overwritten",
		name("softer.onnx"):                       "never overwritten",
		data:                                      "never overwritten",
		name("softdata.onnx"):                     "never overwritten",
		name("harddata.onnx"):                     "never overwritten",
		filepath.Join(other, "way", "model.onnx.data"): "never overwritten",
		filepath.Join(other, "way", "none", "x.onnx"):  "make the folder first",
	} {
		code := exitUsage
		if strings.Contains(says, "make the folder") {
			code = exitFailed
		}
		command, stderr := program("rewrite", source, "-o", output, "--check", "off", "--quiet")
		failsWithin(t, folder, code, says, command, stderr)
		if code == exitFailed {
			continue // the rest copies bytes, and fails with the system's words
		}
		command, stderr = program("rewrite", source, "-o", output, "--check", "off", "--quiet", "--exclude", "*")
		failsWithin(t, folder, code, says, command, stderr)
	}
	// Reports are files like any other.
	if err := errors.Join(os.Link(data, name("data.json")), unix.Mkfifo(name("pipe.json"), 0o644)); err != nil {
		t.Fatal(err)
	}
	for _, report := range []string{"pipe.json", "data.json"} {
		command, stderr := program("rewrite", source, "-o", name("out.onnx"), "--report", name(report), "--check", "off", "--quiet")
		failsWithin(t, folder, exitUsage, report, command, stderr)
	}
}
