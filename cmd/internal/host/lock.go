package host

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// ErrInUse says that another process runs a module on its datastore.
var ErrInUse = errors.New("is in use by another cutpoint process: stop it first, or choose another directory with --data")

// Lock locks the datastores of a module in a data directory for this process. Closing the file, or the end of the process, however
// it ends, gives the lock back.
func Lock(data, module string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(data, module+".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the data directory: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("%s in the data directory %s %w", module, data, ErrInUse), f.Close())
	}
	return f, nil
}

// MakeDirectory makes a data directory if it is not there.
func MakeDirectory(data string) error {
	if data == "" {
		return errors.New("no data directory: say which one with --data")
	}
	if err := os.MkdirAll(data, 0o700); err != nil {
		return fmt.Errorf("make the data directory: %w", err)
	}
	return nil
}
