// Package mirror keeps an independent copy of a log and vouches for it: the copy
// checks all that the log does, and the witness cosigns what continues what it saw.
package mirror
