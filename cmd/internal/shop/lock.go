package shop

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// ErrInUse says that another process runs a shop on the data directory.
var ErrInUse = errors.New("is in use by another cutpoint process: stop it first, or choose another directory with --data")

// lockDirectory makes the data directory and locks it for this process. Closing the file, or the end of the process, however
// it ends, gives the lock back.
func lockDirectory(data string) (*os.File, error) {
	if data == "" {
		return nil, errors.New("no data directory: say which one with --data")
	}
	if err := makeDirectory(data); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(data, "cutpoint.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the data directory: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("the data directory %s %w", data, ErrInUse), f.Close())
	}
	return f, nil
}
