package faults

import (
	"math/rand/v2"
	"strconv"
)

// hit decides one attempt. The hash seeds a generator instead of being compared with the rate itself: FNV's last byte
// hardly reaches its upper bits, so that neighbouring attempts would all be decided alike.
func hit(seed uint64, mailbox, operation string, attempt int, rate float64) bool {
	if rate <= 0 {
		return false
	}
	var digits [20]byte
	h := fnv(fnv(fnv(offset, mailbox), "|"+operation), "|"+string(strconv.AppendInt(digits[:0], int64(attempt), 10)))
	return chance(seed, h) < rate
}

// share decides whether a mailbox belongs to a part of them.
func share(seed uint64, mailbox string, part float64) bool {
	return chance(seed, fnv(offset, mailbox)) < part
}

func chance(seed, h uint64) float64 { return rand.New(rand.NewPCG(seed, h)).Float64() }

const offset, prime = 14695981039346656037, 1099511628211

// fnv is FNV-1a with 64 bits over a string, without the allocations of hash/fnv: it runs for every call.
func fnv(h uint64, s string) uint64 {
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * prime
	}
	return h
}
