package daemon

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

func put(t *testing.T, file, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestLookAt(t *testing.T) {
	dir := t.TempDir()
	one, two, certs, token := filepath.Join(dir, "one"), filepath.Join(dir, "two"), filepath.Join(dir, "certs"), filepath.Join(dir, "token")
	put(t, one, "1")
	put(t, two, "2")
	put(t, filepath.Join(certs, "a.pem"), "a")
	last := lookAt([]string{one, two}, certs, token)
	if !last.same(lookAt([]string{one, two}, certs, token)) || last.same(nil) {
		t.Fatal("nothing has changed")
	}
	check := func(what string, files, certificates bool, change func()) {
		t.Helper()
		change()
		now := lookAt([]string{one, two}, certs, token)
		if (now.files != last.files) != files || (now.certificates != last.certificates) != certificates {
			t.Errorf("%s: files changed %v, certificates %v", what, now.files != last.files, now.certificates != last.certificates)
		}
		last = now
	}
	info, err := os.Stat(one)
	if err != nil {
		t.Fatal(err)
	}
	check("same size and time", true, false, func() {
		put(t, one, "x")
		if err := os.Chtimes(one, info.ModTime(), info.ModTime()); err != nil {
			t.Fatal(err)
		}
	})
	check("only the time", false, false, func() {
		if err := os.Chtimes(one, time.Time{}, time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
	})
	check("contents exchanged", true, false, func() { put(t, one, "2"); put(t, two, "x") })
	check("gone", true, false, func() { _ = os.Remove(one) })
	check("still gone", false, false, func() {})
	check("back", true, false, func() { put(t, one, "2") })
	check("a certificate changed", false, true, func() { put(t, filepath.Join(certs, "a.pem"), "b") })
	check("a certificate more", false, true, func() { put(t, filepath.Join(certs, "b.pem"), "b") })
	check("a certificate renamed", false, true, func() { _ = os.Rename(filepath.Join(certs, "b.pem"), filepath.Join(certs, "c.pem")) })
	check("a folder in it", false, false, func() { put(t, filepath.Join(certs, "sub", "x"), "x") })
	before := last
	check("the federated token", false, false, func() { put(t, token, "e30.e30.x") })
	if last.token == before.token || last.same(before) {
		t.Error("another federated token is not noticed")
	}
	check("the folder gone", false, true, func() { _ = os.RemoveAll(certs) })
}

// Kubernetes mounts a secret as links to links to a folder named after the time, and swaps one of them.
func TestLookAt_KubernetesVolume(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links need privileges there")
	}
	dir := t.TempDir()
	mount := func(version, content string) {
		t.Helper()
		put(t, filepath.Join(dir, version, "secret"), content)
		_ = os.Remove(filepath.Join(dir, "..tmp"))
		if err := os.Symlink(version, filepath.Join(dir, "..tmp")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, "..tmp"), filepath.Join(dir, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	mount("..2026_11_23", "one")
	file := filepath.Join(dir, "secret")
	if err := os.Symlink(filepath.Join("..data", "secret"), file); err != nil {
		t.Fatal(err)
	}
	first := lookAt([]string{file}, dir, "")
	mount("..2026_11_24", "one")
	if !lookAt([]string{file}, dir, "").same(first) {
		t.Error("the same content in a new folder counts as a change")
	}
	mount("..2026_11_25", "two")
	if now := lookAt([]string{file}, dir, ""); now.files == first.files || now.certificates == first.certificates {
		t.Error("a swapped link is not noticed")
	}
}
