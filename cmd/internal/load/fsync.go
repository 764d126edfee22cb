package load

import (
	"errors"
	"os"
	"time"
)

// FsyncRate measures how many times a second a small append to a file in dir reaches the disk: the floor under every durable
// order. It takes about as long as it is told to.
func FsyncRate(dir string, during time.Duration) (perSecond float64, err error) {
	f, err := os.CreateTemp(dir, "fsync-*")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	block := make([]byte, 4096)
	start, n := time.Now(), 0
	for time.Since(start) < during {
		if _, err := f.Write(block); err != nil {
			return 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, err
		}
		n++
	}
	return float64(n) / time.Since(start).Seconds(), nil
}
