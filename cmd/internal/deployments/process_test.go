package deployments

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// build returns the path of the binary, made for this run.
func build(b *testing.B) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "cutpoint")
	if out, err := exec.Command("go", "build", "-o", path, "cutpoint/cmd/cutpoint").CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	return path
}

// process is one that serves.
type process struct {
	cmd  *exec.Cmd
	http string // URL of its API, "" if it has none
	nats string // URL of its NATS server, "" if it has none
}

var (
	natsLine  = regexp.MustCompile(`^NATS listens on (\S+)$`)
	httpLine  = regexp.MustCompile(` serves on (http://\S+)$`)
	readyLine = regexp.MustCompile(` (serves on|runs) `)
)

// start runs the binary until the benchmark ends, and returns when it is ready.
func start(b *testing.B, binary string, args ...string) *process {
	b.Helper()
	p := &process{cmd: exec.Command(binary, args...)}
	var complaints bytes.Buffer
	p.cmd.Stderr = &complaints
	out, err := p.cmd.StdoutPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		b.Fatal(err)
	}
	ready := false
	for lines := bufio.NewScanner(out); !ready && lines.Scan(); ready = readyLine.MatchString(lines.Text()) {
		if m := natsLine.FindStringSubmatch(lines.Text()); m != nil {
			p.nats = m[1]
		}
		if m := httpLine.FindStringSubmatch(lines.Text()); m != nil {
			p.http = m[1]
		}
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	b.Cleanup(func() { p.end(b, &complaints) })
	if !ready {
		b.Fatalf("cutpoint %s is not ready", strings.Join(args, " "))
	}
	return p
}

// end stops the process, at once if it does not stop by itself.
func (p *process) end(b *testing.B, complaints *bytes.Buffer) {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	late := time.AfterFunc(10*time.Second, func() { _ = p.cmd.Process.Kill() })
	err := p.cmd.Wait()
	late.Stop()
	if err != nil || b.Failed() {
		b.Logf("%v ended with %v: %s", p.cmd.Args, err, complaints.Bytes())
	}
}

// processorTime is what a process has used so far, and its children if it has seen the end of them.
func processorTime(pid int) (time.Duration, error) {
	fields, err := stat(pid)
	if err != nil {
		return 0, err
	}
	const perSecond = 100 // ticks; the kernel tells it so on every machine that Go runs on
	var ticks int64
	for _, f := range fields[11:15] { // utime, stime, cutime, cstime: proc(5)
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / perSecond, nil
}

// stat returns the fields of /proc/PID/stat behind the name of the program, the state first.
func stat(pid int) ([]string, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil, err
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 15 {
		return nil, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	return fields, nil
}

// children are the processes that a process has now.
func children(parent int) (pids []int, err error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		fields, err := stat(pid)
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue // it has just ended
		}
		if err != nil {
			return nil, err
		}
		if fields[1] == strconv.Itoa(parent) {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

var peakLine = regexp.MustCompile(`(?m)^VmHWM:\s+(\d+) kB$`)

// peakMemory is the most that a process has had in memory, in bytes.
func peakMemory(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	m := peakLine.FindSubmatch(text)
	if m == nil {
		return 0, fmt.Errorf("/proc/%d/status tells no peak", pid)
	}
	kilobytes, err := strconv.ParseInt(string(m[1]), 10, 64)
	return kilobytes << 10, err
}
