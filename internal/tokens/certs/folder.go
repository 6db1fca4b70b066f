package certs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"roomsync/internal/tokens"
)

// maxFile bounds what is read of a file; one that is larger holds no certificate of an application.
const maxFile = 1 << 20

// folder is a place of PEM and PFX files. Names do not matter: the content tells what a file is.
type folder struct {
	dir      string
	password func() (tokens.Secret, error)
}

// files lists the regular files, also behind symbolic links. What begins with two dots is how Kubernetes swaps the
// files of a volume, and stands in the folder once more under its proper name.
func (f folder) files() (map[string]fs.FileInfo, []string, error) {
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return nil, nil, fmt.Errorf("the folder of certificates (--cert-dir) cannot be read: %w", err)
	}
	infos := map[string]fs.FileInfo{}
	var names []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "..") {
			continue
		}
		info, err := os.Stat(filepath.Join(f.dir, e.Name()))
		if err != nil || !info.Mode().IsRegular() || info.Size() > maxFile {
			continue
		}
		infos[e.Name()] = info
		names = append(names, e.Name())
	}
	return infos, names, nil
}

func (f folder) stamp() string {
	infos, names, err := f.files()
	if err != nil {
		return ""
	}
	var b strings.Builder
	for _, name := range names {
		i := infos[name]
		fmt.Fprintf(&b, "%q %d %d %v\n", name, i.Size(), i.ModTime().UnixNano(), i.Mode())
	}
	return b.String()
}

func (f folder) find(thumbprint string) (*Certificate, error) {
	infos, names, err := f.files()
	if err != nil {
		return nil, err
	}
	var all []content
	for _, name := range names {
		if c := f.read(name, infos[name]); !c.empty() {
			all = append(all, c)
		}
	}
	return choose(f.dir, all, thumbprint)
}

func (f folder) read(name string, info fs.FileInfo) content {
	path := filepath.Join(f.dir, name)
	data, err := readFile(path)
	if errors.Is(err, fs.ErrPermission) {
		return content{name: name, fault: keyset(name, "the file's rights do not let it")}
	}
	if err != nil {
		return content{name: name, fault: fmt.Errorf("%s cannot be read: %w", name, err)}
	}
	c := parse(name, data, f.password)
	if (len(c.keys) > 0 || c.pfx) && forEverybody(info) {
		c.keys, c.fault = nil, fmt.Errorf("%s can be read or changed by everybody on this host: chmod 0400 %s", name, path)
	}
	return c
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(io.LimitReader(f, maxFile))
}

// forEverybody is the rule for every file that holds a secret.
func forEverybody(info fs.FileInfo) bool {
	return runtime.GOOS != "windows" && info.Mode().Perm()&0o007 != 0
}

// keyset says that a private key may not be read, by the name that administrators of Windows know it by.
func keyset(what, why string) error {
	return fmt.Errorf("\"Keyset does not exist\": the user that this process runs as has no right to the private key in %s (%s): "+
		"on Windows, in certlm.msc right-click the certificate, All Tasks, Manage Private Keys, and add that user; "+
		"on Linux, let that user's group read the file (chgrp, chmod 0440)", what, why)
}
