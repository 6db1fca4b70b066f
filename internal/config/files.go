package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"unicode/utf8"
)

// file is the name of a file that holds a secret or something like it. People give the secret itself by mistake, so the
// name is shown only where there is such a file.
func (s *settings) file(p *string, name, usage string) *setting {
	v := s.str(p, name, "file", "", usage)
	v.file = true
	return v
}

// conceal keeps what was given as a file's name from all messages, unless there is such a file.
func (s *settings) conceal(v *setting) {
	v.absent = v.file && v.text != "" && s.env.Exists != nil && !s.env.Exists(v.text)
}

// exists reports whether there is a file of that name, as far as can be seen. It reads nothing.
func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil || errors.Is(err, fs.ErrPermission)
}

// noSuchFile reports whether err, of reading a file, leaves it open that there is one of that name. What cannot be a
// name at all, such as one that is too long, is no file either.
func noSuchFile(err error) bool {
	var p *fs.PathError
	return err != nil && (errors.Is(err, fs.ErrNotExist) || errors.As(err, &p) && !errors.Is(err, fs.ErrPermission))
}

// notAFile says so of what a flag or variable names, without the name: it may be the secret itself. A variable, where
// there is one, may hold that.
func notAFile(from, name, variable string) error {
	elsewhere := "in a file"
	if variable != "" {
		elsewhere += ", or in " + variable
	}
	return fmt.Errorf("the file given in %s does not exist (%d characters; is it the secret itself? That must stand %s)",
		from, utf8.RuneCountInString(name), elsewhere)
}

// credentialBlock is one of the two that a NATS credentials file holds, as package nkeys reads it.
var credentialBlock = regexp.MustCompile(`-{3,}[^\n]*-{3,}\r?\n[\w.=-]+\r?\n-{3,}`)

// checkCreds finds what is wrong with the credentials file before NATS is asked, which would seem not to be there.
func (n *NATS) checkCreds(s *settings) {
	if n.CredsFile == "" {
		return
	}
	data, everybody, err := s.env.readFile(n.CredsFile, maxSecret)
	switch {
	case noSuchFile(err):
		s.fault("nats-creds", notAFile(s.from("nats-creds"), n.CredsFile, "").Error())
	case err != nil:
		s.fault("nats-creds", err.Error())
	case len(credentialBlock.FindAll(data, -1)) < 2:
		s.fault("nats-creds", "is no NATS credentials file, which holds a JWT and a seed between lines of dashes: nsc generate creds writes one")
	case everybody:
		s.warn(s.from("nats-creds"), "can be read or changed by everybody on this host, and holds a secret: chmod 0400 "+n.CredsFile)
	}
}
