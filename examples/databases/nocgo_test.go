//go:build !cgo

package databases_test

func withC() []database { return nil }
