// Package jobs says what a job is, which states a mailbox's record goes through, and what to do about a failed
// attempt. It does no I/O and reads no clock.
package jobs
