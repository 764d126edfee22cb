package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// Cluster is a PostgreSQL server in a temporary directory, reached by a socket there.
type Cluster struct {
	URL    string // of its superuser
	Dir    string
	keeper *exec.Cmd
	pipe   io.Closer
	bin    string
	run    *syscall.SysProcAttr
}

// keep starts the server, waits for its standard input to be closed, stops the server and removes its directory. It outlives the
// process that started it, however that ends.
const keep = `dir=$1; shift; "$@" & server=$!; cat >/dev/null; kill -INT $server; wait $server; rm -rf "$dir"`

// Settings that make a throw-away server cheap. fsync stays on, since a store refuses a server without.
var settings = []string{
	"listen_addresses=", "max_connections=1000", "shared_buffers=64MB", "full_page_writes=off", "wal_level=minimal", "max_wal_senders=0",
	"checkpoint_timeout=1h", "max_wal_size=4GB", "autovacuum=off", "log_min_messages=fatal",
}

// Start makes a server and starts it. Its order of texts is not that of bytes, so that a column that forgets COLLATE "C" is seen.
func Start() (_ *Cluster, err error) {
	c := &Cluster{}
	if c.bin, err = binaries(); err != nil {
		return nil, err
	}
	if c.Dir, err = os.MkdirTemp(place(), "cutpoint-pg-"); err != nil {
		return nil, err
	}
	if c.run, err = unprivileged(c.Dir); err != nil {
		return nil, errors.Join(err, os.RemoveAll(c.Dir))
	}
	initdb := c.command("initdb", "-D", c.data(), "-U", "cutpoint", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8",
		"--locale-provider=icu", "--icu-locale=en-US")
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, errors.Join(fmt.Errorf("initdb: %w: %s", err, bytes.TrimSpace(out)), os.RemoveAll(c.Dir))
	}
	c.URL = (&url.URL{Scheme: "postgres", User: url.User("cutpoint"), Path: "/postgres", RawQuery: url.Values{"host": {c.Dir}}.Encode()}).String()
	return c, c.start()
}

func (c *Cluster) data() string { return filepath.Join(c.Dir, "data") }

func (c *Cluster) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(c.bin, name), args...)
	cmd.Dir, cmd.SysProcAttr = c.Dir, c.run
	return cmd
}

func (c *Cluster) start() error {
	args := []string{"-c", keep, "sh", c.Dir, filepath.Join(c.bin, "postgres"), "-D", c.data(), "-k", c.Dir}
	for _, s := range settings {
		args = append(args, "-c", s)
	}
	c.keeper = exec.Command("sh", args...)
	c.keeper.Dir, c.keeper.SysProcAttr = "/", c.run
	pipe, err := c.keeper.StdinPipe()
	if err != nil {
		return err
	}
	c.pipe = pipe
	if err := c.keeper.Start(); err != nil {
		return err
	}
	return c.ready()
}

// ready waits until the server answers.
func (c *Cluster) ready() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, c.URL)
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the PostgreSQL server in %s does not answer: %w", c.Dir, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Restart stops the server at once, as a crash does, and starts it again.
func (c *Cluster) Restart() error {
	// pg_ctl finds the settings in a file that the server wrote, and starts it as it was.
	if out, err := c.command("pg_ctl", "restart", "-D", c.data(), "-m", "immediate", "-s", "-w", "-l", "/dev/null").CombinedOutput(); err != nil {
		return fmt.Errorf("restart: %w: %s", err, out)
	}
	return c.ready()
}

// Stop stops the server and removes its directory.
func (c *Cluster) Stop() error {
	_ = c.command("pg_ctl", "stop", "-D", c.data(), "-m", "immediate", "-s").Run() // the one that Restart started; otherwise the keeper does it
	_ = c.pipe.Close()
	_ = c.keeper.Wait() // with whatever status the server ended
	return os.RemoveAll(c.Dir)
}

// place is where a server lies: in memory, where the making of a hundred schemas costs no disk, or where TMPDIR says.
func place() string {
	const memory = "/dev/shm"
	if _, err := os.Stat(memory); err == nil && os.Getenv("TMPDIR") == "" {
		return memory
	}
	return os.TempDir()
}

// binaries finds the directory of initdb and postgres.
func binaries() (string, error) {
	var dirs []string
	if found, err := exec.LookPath("initdb"); err == nil {
		if real, err := filepath.EvalSymlinks(found); err == nil { // a server finds its files from where it is itself
			dirs = append(dirs, filepath.Dir(real))
		}
	}
	if out, err := exec.Command("pg_config", "--bindir").Output(); err == nil {
		dirs = append(dirs, strings.TrimSpace(string(out)))
	}
	packaged, _ := filepath.Glob("/usr/lib/postgresql/*/bin") // the pattern is well formed
	slices.Reverse(packaged)
	for _, dir := range append(dirs, packaged...) {
		if _, err := os.Stat(filepath.Join(dir, "initdb")); err != nil {
			continue
		}
		if _, err := os.Stat(filepath.Join(dir, "postgres")); err == nil {
			return dir, nil
		}
	}
	return "", errors.New("there is no PostgreSQL server here: install one (initdb and postgres), or set " + EnvPostgres + " to the URL of a running one")
}

// unprivileged says as whom to run the server, and gives that user the directory: PostgreSQL refuses to be root.
func unprivileged(dir string) (*syscall.SysProcAttr, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		if u, err = user.Lookup("nobody"); err != nil {
			return nil, fmt.Errorf("root can't run PostgreSQL, and there is neither a user postgres nor nobody: %w", err)
		}
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return nil, err
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, os.Chown(dir, uid, gid)
}
