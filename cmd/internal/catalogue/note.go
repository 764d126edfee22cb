package catalogue

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
)

// note is how far a job has come.
type note struct {
	File          string `json:"file"`   // SHA-256 of its content
	Target        string `json:"target"` // the shop
	Run           string `json:"run"`    // makes the idempotency keys of this job its own
	Batch         int    `json:"batch"`  // rows at a time: a batch that is sent again must be the same
	Line          int    `json:"line"`   // the last line that is done
	Imported      int    `json:"imported"`
	Rejected      int    `json:"rejected"`
	RejectedBytes int64  `json:"rejected_bytes"` // of the file of rejects
}

// readNote returns what an earlier job has left, or nothing.
func readNote(path string) (n note, err error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return note{}, nil
	}
	if err != nil {
		return note{}, err
	}
	if err := json.Unmarshal(text, &n); err != nil || n.Batch < 1 {
		return note{}, fmt.Errorf("%s does not say how far an earlier import came: remove it, and the import begins anew (%w)", path, err)
	}
	return n, nil
}

// write replaces the note in one step, so that there is an old one or a new one. The first is brought to the disk: without its keys
// what was done would be done twice. A later one that a power loss takes away costs some answers that are replayed.
func (n note) write(path string, sync bool) (err error) {
	text, err := json.Marshal(n)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(text, '\n'))
	if err == nil && sync {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// rejects is the file of the rows that were not imported.
type rejects struct {
	path string
	file *os.File
	csv  *csv.Writer
}

// openRejects opens the file as it was when it had so many bytes: what came after will be found again.
func openRejects(path string, bytes int64) (*rejects, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	r := &rejects{path, f, csv.NewWriter(f)}
	info, err := f.Stat()
	if err == nil {
		bytes = min(bytes, info.Size()) // somebody took it away
		err = f.Truncate(bytes)
	}
	if err == nil {
		_, err = f.Seek(bytes, io.SeekStart)
	}
	if err == nil && bytes == 0 {
		err = r.csv.Write([]string{"line", "sku", "problem"})
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return r, nil
}

func (r *rejects) add(line int, sku string, reason error) error {
	return r.csv.Write([]string{strconv.Itoa(line), sku, reason.Error()})
}

// flush returns how many bytes the file has.
func (r *rejects) flush() (int64, error) {
	if r.csv.Flush(); r.csv.Error() != nil {
		return 0, r.csv.Error()
	}
	return r.file.Seek(0, io.SeekCurrent)
}

func (r *rejects) close(remove bool) error {
	_, err := r.flush()
	if err = errors.Join(err, r.file.Close()); err == nil && remove {
		err = os.Remove(r.path)
	}
	return err
}
