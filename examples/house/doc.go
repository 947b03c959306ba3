// Package house has no code. Its tests hold the whole library to its plan: who
// may import whom, and which switches are dangerous.
package house
