package deployments

import (
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// cluster is a PostgreSQL server of this run. Unlike that of tests it lies on the disk, and has the settings of a fresh installation,
// so that a commit costs what it costs elsewhere.
type cluster struct {
	postmaster int
	socket     string
}

// newCluster starts a server in a directory, or returns nil where there is none to start.
func newCluster(b *testing.B, data string) *cluster {
	b.Helper()
	bin := postgresBinaries()
	if bin == "" {
		b.Log("without PostgreSQL: there is no initdb here")
		return nil
	}
	// The path of a socket may have some hundred bytes only, so it is not with the data.
	c := &cluster{socket: b.TempDir()}
	run := unprivileged(b, data, c.socket, filepath.Dir(c.socket))
	pg := func(name string, args ...string) {
		b.Helper()
		cmd := exec.Command(filepath.Join(bin, name), args...)
		cmd.Dir, cmd.SysProcAttr = "/", run
		if err := cmd.Run(); err != nil { // its output would be held open by the server
			b.Fatalf("%s: %v", name, err)
		}
	}
	data = filepath.Join(data, "cluster")
	pg("initdb", "-D", data, "-U", "cutpoint", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8")
	pg("pg_ctl", "start", "-D", data, "-s", "-w", "-l", filepath.Join(data, "log"),
		"-o", "-c listen_addresses= -c max_connections=500 -k "+c.socket)
	b.Cleanup(func() { pg("pg_ctl", "stop", "-D", data, "-s", "-m", "fast") })
	text, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
	if err == nil {
		first, _, _ := strings.Cut(string(text), "\n")
		c.postmaster, err = strconv.Atoi(first)
	}
	if err != nil {
		b.Fatal(err)
	}
	return c
}

// database makes a database and returns its URL.
func (c *cluster) database(b *testing.B, name string) string {
	b.Helper()
	cmd := exec.Command(filepath.Join(postgresBinaries(), "createdb"), "-h", c.socket, "-U", "cutpoint", name)
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	return "postgres://cutpoint@/" + name + "?host=" + c.socket
}

// processes are all of the server. What ended is counted by its parent.
func (c *cluster) processes() ([]int, error) {
	pids, err := children(c.postmaster)
	return append(pids, c.postmaster), err
}

// postgresBinaries is the directory of initdb and postgres, "" if there is none.
func postgresBinaries() string {
	dirs, _ := filepath.Glob("/usr/lib/postgresql/*/bin") // the pattern is well formed
	if out, err := exec.Command("pg_config", "--bindir").Output(); err == nil {
		dirs = append(dirs, strings.TrimSpace(string(out)))
	}
	if found, err := exec.LookPath("initdb"); err == nil {
		if real, err := filepath.EvalSymlinks(found); err == nil { // the server is beside it
			dirs = append(dirs, filepath.Dir(real))
		}
	}
	for _, dir := range slices.Backward(dirs) {
		_, err := os.Stat(filepath.Join(dir, "initdb"))
		if _, missing := os.Stat(filepath.Join(dir, "postgres")); err == nil && missing == nil {
			return dir
		}
	}
	return ""
}

// unprivileged says as whom to run the server, and gives that user the directories: PostgreSQL refuses to be root.
func unprivileged(b *testing.B, dirs ...string) *syscall.SysProcAttr {
	b.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		if u, err = user.Lookup("nobody"); err != nil {
			b.Fatalf("root can't run PostgreSQL, and there is neither a user postgres nor nobody: %v", err)
		}
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		b.Fatal(err)
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		b.Fatal(err)
	}
	for _, dir := range dirs {
		if err := os.Chown(dir, uid, gid); err != nil {
			b.Fatal(err)
		}
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
}
