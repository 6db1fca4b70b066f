package daemon

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// look is what the files of a configuration held when they were looked at: digests, which never leave the process.
type look struct {
	files        [sha256.Size]byte
	certificates [sha256.Size]byte
	token        [sha256.Size]byte // a federated one
}

func (l *look) same(as *look) bool { return as != nil && *l == *as }

// lookAt reads the files, those in the folder of certificates, and the federated token, "" for none. That one cannot be
// read is what it holds: it is looked at again.
func lookAt(files []string, certDir, tokenFile string) *look {
	l := &look{files: digest(files)}
	if certDir != "" {
		l.certificates = digest(within(certDir))
	}
	if tokenFile != "" {
		l.token = digest([]string{tokenFile})
	}
	return l
}

// most bounds what is read of a file; none of ours is larger.
const most = 1 << 20

func digest(files []string) (sum [sha256.Size]byte) {
	h := sha256.New()
	for _, file := range files {
		_, _ = fmt.Fprintf(h, "%q ", file)
		if err := copyOf(h, file); err != nil {
			_, _ = fmt.Fprintf(h, "%q", err.Error())
		}
	}
	h.Sum(sum[:0])
	return sum
}

// copyOf writes a digest of the file, so that no content can be taken for another file's name.
func copyOf(w io.Writer, file string) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return nil // opening a pipe would wait for its other end
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	h := sha256.New()
	if _, err := io.Copy(h, io.LimitReader(f, most)); err != nil {
		return err
	}
	_, err = w.Write(h.Sum(nil))
	return err
}

// within are the files in a folder, in order, or the folder itself when it cannot be read. Kubernetes keeps folders in
// it that are named after the time.
func within(folder string) []string {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return []string{folder}
	}
	var names []string
	for _, e := range entries {
		name := filepath.Join(folder, e.Name())
		if info, err := os.Stat(name); err != nil || info.Mode().IsRegular() {
			names = append(names, name)
		}
	}
	return names
}
