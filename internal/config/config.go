// Package config reads what the binaries are told: flags, environment variables, secrets from files, and the CSV
// list of mailboxes.
//
// Every flag --some-name can also be given as the environment variable ROOMSYNC_SOME_NAME; the flag wins. Secrets
// come from files, or from the environment, but never from the command line, which every user of a host can read.
// What neither gives comes from an unchanged RoomsAppSettings.config (--rooms-config), then from what Azure's webhook for
// workload identities sets, then from the default. All faults are reported at once, each naming the flag, variable or
// line, and what to do about it.
//
// A configuration is a struct of sections ([Worker], [Dispatcher], [Ops]). [Load] fills one without touching anything
// but its arguments; [Attach] puts one on a command; [Main] runs a command as a process; [AttachInspection] shows where
// everything comes from.
package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"github.com/spf13/pflag"
)

// envPrefix begins the name of every environment variable of ours.
const envPrefix = "ROOMSYNC_"

// EnvName is the environment variable of a flag: "nats-url" is "ROOMSYNC_NATS_URL".
func EnvName(flag string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// Env is where a configuration comes from besides the command line.
type Env struct {
	Getenv     func(name string) string // "" when not set
	Environ    func() []string          // "NAME=value" of all variables; optional, to find slips in names
	Exists     func(file string) bool   // optional: without it, every file that is named is taken to be there
	ReadSecret func(file string) ([]byte, error)
	// ReadFile reads a file of at most so many bytes that others share with us, and reports whether everybody on the host
	// can read or change it.
	ReadFile func(file string, most int64) (data []byte, everybody bool, err error)
}

// OS is the environment of the process. It reads no secret from a file that everybody on the host can read.
func OS() Env {
	return Env{Getenv: os.Getenv, Environ: os.Environ, Exists: exists, ReadSecret: readSecret, ReadFile: readFile}
}

func (e Env) readSecret(file string) ([]byte, error) {
	if e.ReadSecret == nil {
		return nil, errors.New("files cannot be read here")
	}
	return e.ReadSecret(file)
}

func (e Env) readFile(file string, most int64) ([]byte, bool, error) {
	if e.ReadFile == nil {
		return nil, false, errors.New("files cannot be read here")
	}
	return e.ReadFile(file, most)
}

// maxSecret bounds a secret file; one that is larger was named by mistake.
const maxSecret = 64 << 10

func readSecret(file string) ([]byte, error) {
	data, everybody, err := readFile(file, maxSecret)
	switch {
	case err != nil:
		return nil, err
	case everybody:
		return nil, fmt.Errorf("%s can be read or changed by everybody on this host: chmod 0400 %s", file, file)
	}
	return data, nil
}

func readFile(file string, most int64) (data []byte, everybody bool, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, false, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, false, err
	case !info.Mode().IsRegular():
		return nil, false, fmt.Errorf("%s is no regular file", file)
	}
	data, err = io.ReadAll(io.LimitReader(f, most+1))
	if int64(len(data)) > most {
		return nil, false, fmt.Errorf("%s is larger than %d bytes: it was named by mistake", file, most)
	}
	return data, runtime.GOOS != "windows" && info.Mode().Perm()&0o007 != 0, err
}

// Section is a configuration, or a part of one. The implementations are in this package.
type Section interface {
	declare(*settings) // flags and defaults
	check(*settings)   // what concerns more than one flag, once all are set
}

// Load fills the configuration to from args, without the program's name, and env. The error is [Faults], or says
// that args make no sense.
func Load(args []string, env Env, to Section) error {
	fs := pflag.NewFlagSet("roomsync", pflag.ContinueOnError)
	fs.SetOutput(io.Discard)
	s := newSettings(fs, env)
	to.declare(s)
	if err := fs.Parse(args); err != nil {
		return flagError(fs, err)
	}
	if fs.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	return s.finish(to)
}

// Fault is one thing that is wrong with a configuration.
type Fault struct {
	Key     string `json:"key"`     // the flag, variable or line, with its value where that is no secret
	Problem string `json:"problem"` // and what to do
}

// Faults is everything that is wrong with a configuration.
type Faults []Fault

// Error lists the faults, one on each line.
func (f Faults) Error() string {
	var b strings.Builder
	b.WriteString("the configuration has faults:")
	for _, x := range f {
		fmt.Fprintf(&b, "\n  %s: %s", x.Key, x.Problem)
	}
	return b.String()
}

// secretFlags are flags that people try and that must not exist.
var secretFlags = map[string]string{
	"client-secret":      "client-secret-file",
	"app-secret":         "client-secret-file",
	"secret":             "client-secret-file",
	"password":           "password-file",
	"service-password":   "password-file",
	"cert-password":      "cert-password-file",
	"pfx-password":       "cert-password-file",
	"federated-token":    "federated-token-file",
	"token":              "federated-token-file",
	"token-key":          "token-key-file",
	"mailbox-token-key":  "mailbox-token-key-file",
	"nats-password":      "nats-creds",
	"api-token":          "api-token-file",
	"webhook-secret":     "webhook-secret-file",
	"private-key":        "cert-dir",
	"client-certificate": "cert-dir",
}

// flagError makes pflag's errors say what to do. They never hold a value.
func flagError(fs *pflag.FlagSet, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return err
	}
	name := unknown.GetSpecifiedName()
	if file, ok := secretFlags[name]; ok && fs.Lookup(file) != nil {
		return fmt.Errorf("unknown flag --%s: secrets do not belong on a command line; use --%s", name, file)
	}
	var names []string
	fs.VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	if near := nearest(name, names); near != "" {
		return fmt.Errorf("unknown flag --%s: did you mean --%s?", name, near)
	}
	return fmt.Errorf("unknown flag --%s: --help lists the flags", name)
}
