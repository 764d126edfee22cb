package fleet

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"sync"
	"syscall"
	"time"
)

// Process is one process of a fleet.
type Process struct {
	Name   string
	member member
	hub    bool           // it runs the NATS server
	ready  *regexp.Regexp // what it says when it is
	cmd    *exec.Cmd
	stdout lines
	stderr text
	ended  chan struct{}
	err    error // of its end
}

// What a process says when something is up.
var (
	listening = regexp.MustCompile(`NATS listens on (\S+)`)
	serving   = regexp.MustCompile(`serves on (http://\S+)`)
	running   = regexp.MustCompile(`runs \[.*\] on (\S+)`)
)

func (p *Process) start() error {
	p.ended = make(chan struct{})
	p.stdout.changed = make(chan struct{}, 1)
	p.cmd.Stderr = &p.stderr
	out, err := p.cmd.StdoutPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		return fmt.Errorf("start %s: %w", p.Name, err)
	}
	go func() {
		for scan := bufio.NewScanner(out); scan.Scan(); {
			p.stdout.add(scan.Text())
		}
		_, _ = io.Copy(io.Discard, out) // a line that is too long
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	return nil
}

// Ended is what a process said on stderr before its end, which came before it was ready.
type Ended struct {
	Process string
	Err     error // nil: exit status 0
	Said    string
}

// Error implements error.
func (e *Ended) Error() string {
	return fmt.Sprintf("%s ended before it was ready (%v): %s", e.Process, e.Err, e.Said)
}

// AwaitReady returns when the process says that it is ready.
func (p *Process) AwaitReady(patience time.Duration) error {
	_, err := p.await(p.ready, patience)
	return err
}

// await returns what the group of a pattern matches in the first line that does.
func (p *Process) await(pattern *regexp.Regexp, patience time.Duration) (string, error) {
	late := time.After(patience)
	for {
		if m := p.stdout.find(pattern); m != "" {
			return m, nil
		}
		select {
		case <-p.stdout.changed:
		case <-p.ended:
			if m := p.stdout.find(pattern); m != "" {
				return m, nil
			}
			return "", &Ended{p.Name, p.err, p.stderr.String()}
		case <-late:
			return "", fmt.Errorf("%s did not say %q within %v: %s", p.Name, pattern, patience, p.stderr.String())
		}
	}
}

// URL is where the process serves HTTP, once it is ready.
func (p *Process) URL() string { return p.stdout.find(serving) }

// Kill ends the process by SIGKILL, and returns when it has ended.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// Pause stops the process where it stands, by SIGSTOP, until Resume.
func (p *Process) Pause() error { return p.cmd.Process.Signal(syscall.SIGSTOP) }

// Resume lets a process go on that was paused.
func (p *Process) Resume() error { return p.cmd.Process.Signal(syscall.SIGCONT) }

// Stop ends the process by SIGTERM, and wants exit status 0.
func (p *Process) Stop(patience time.Duration) error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop %s: %w", p.Name, errors.Join(err, p.err))
	}
	select {
	case <-p.ended:
	case <-time.After(patience):
		return fmt.Errorf("%s still runs %v after SIGTERM: %s", p.Name, patience, p.stderr.String())
	}
	if p.err != nil {
		return fmt.Errorf("%s ended with %w: %s", p.Name, p.err, p.stderr.String())
	}
	return nil
}

// maxSaid bounds what is kept of the outputs of a process, in bytes.
const maxSaid = 1 << 20

// text is what was written, up to maxSaid.
type text struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (t *text) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b.Write(b[:min(len(b), max(0, maxSaid-t.b.Len()))])
	return len(b), nil
}

func (t *text) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}

// lines is a text that says when it grows.
type lines struct {
	text
	changed chan struct{}
}

func (l *lines) add(line string) {
	_, _ = l.Write([]byte(line + "\n"))
	select {
	case l.changed <- struct{}{}:
	default:
	}
}

func (l *lines) find(pattern *regexp.Regexp) string {
	m := pattern.FindStringSubmatch(l.String())
	if m == nil {
		return ""
	}
	return m[1]
}
