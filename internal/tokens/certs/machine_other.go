//go:build !windows

package certs

// localComputer is nil: only Windows has such a store.
func localComputer() place { return nil }
