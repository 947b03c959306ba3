package main

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
)

// A secret is what keys are derived from, and where it comes from, to say so.
type secret struct {
	value, from string
}

// findSecret returns the one that is set or else the one beside the database,
// which it makes if there is none. People stay logged in over a restart because
// the next start finds the same.
func findSecret(set, db string) (secret, error) {
	switch {
	case set != "":
		return secret{set, "from SECRET"}, nil
	case db == memory:
		value, err := newSecret()
		return secret{value, "made for this run alone, like the database; set SECRET to choose one"}, err
	}
	file := db + ".secret"
	value, err := newSecret()
	if err != nil {
		return secret{}, err
	}
	switch err := writeNew(file, value); {
	case err == nil:
		return secret{value, "made, and kept in " + file + " (mode 0600); set SECRET to choose one"}, nil
	case !errors.Is(err, fs.ErrExist):
		return secret{}, fmt.Errorf("cannot keep a secret in %s; set SECRET: %w", file, err)
	}
	if value, err = readSecret(file); err != nil {
		return secret{}, err
	}
	return secret{value, "from " + file}, nil
}

func newSecret() (string, error) {
	b := make([]byte, 32)
	if _, err := rand.Read(b); err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(b), nil
}

// writeNew makes a file that only its owner can read. It never writes to one
// that is there, also not to one that someone else put there a moment ago.
func writeNew(file, text string) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(file))
	}
	return nil
}

func readSecret(file string) (string, error) {
	info, err := os.Stat(file)
	if err != nil {
		return "", err
	}
	// Windows has no such modes, and says 0666 of every file.
	if mode := info.Mode(); runtime.GOOS != "windows" && (!mode.IsRegular() || mode.Perm()&0o077 != 0) {
		return "", fmt.Errorf("%s has mode %v, so that others can read the secret: chmod 600 %s", file, mode, file)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	if len(b) < 32 {
		return "", fmt.Errorf("%s has no whole secret in it: delete it, and a new one is made (everybody has to log in again)", file)
	}
	return string(b), nil
}
