package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"roomsync/internal/config"
	"roomsync/internal/ops/setup"
)

// deliver prints the scripts or writes them.
func (c *setupCommand) deliver(cmd *cobra.Command, list []filled) error {
	switch {
	case c.asJSON:
		return json.NewEncoder(cmd.OutOrStdout()).Encode(list)
	case c.out != "":
		return c.write(cmd, list)
	}
	var b strings.Builder
	for i, s := range list {
		if len(list) > 1 {
			fmt.Fprintf(&b, "# ===== %s (%d of %d): a script goes into a file of its own; --out FOLDER writes them =====\n", s.File, i+1, len(list))
		}
		b.WriteString(s.Script)
	}
	_, err := fmt.Fprint(cmd.OutOrStdout(), b.String())
	return err
}

// write puts each script into a file that must be new, unless --force is given. Nothing is written when one is not.
func (c *setupCommand) write(cmd *cobra.Command, list []filled) error {
	files, err := c.files(list)
	if err != nil {
		return err
	}
	if !c.force {
		var errs []error
		for _, f := range files {
			if _, err := os.Lstat(f); err == nil {
				errs = append(errs, fmt.Errorf("%s exists: --force overwrites it", f))
			}
		}
		if len(errs) > 0 {
			return config.Usage(errors.Join(errs...))
		}
	}
	for i, f := range files {
		if err := writeNew(f, setup.Encode(list[i].Script), c.force); err != nil {
			return err
		}
		if _, err := fmt.Fprintf(cmd.OutOrStdout(), "wrote %s\n", f); err != nil {
			return err
		}
	}
	return nil
}

// files names the files; several scripts go into a folder, which is made.
func (c *setupCommand) files(list []filled) ([]string, error) {
	info, err := os.Stat(c.out)
	folder := err == nil && info.IsDir()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, config.Usage(err)
	}
	if len(list) == 1 && !folder {
		return []string{c.out}, nil
	}
	if err := os.MkdirAll(c.out, 0o755); err != nil {
		return nil, config.Usage(err)
	}
	files := make([]string, len(list))
	for i, s := range list {
		files[i] = filepath.Join(c.out, s.File)
	}
	return files, nil
}

// writeNew writes a file that only its owner reads: it names persons.
func writeNew(name string, data []byte, overwrite bool) (err error) {
	mode := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if overwrite {
		mode = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	}
	f, err := os.OpenFile(name, mode, 0o600)
	if err != nil {
		return config.Usage(err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	_, err = f.Write(data)
	return err
}
