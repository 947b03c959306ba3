package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/provider/catalog"
	"github.com/joho/godotenv"
)

// environment returns what reads a setting: from the environment, or else from
// the file, which need not be there. The environment itself is left as it is.
func environment(file string, lookup func(string) (string, bool)) (func(string) string, error) {
	more, err := godotenv.Read(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		// The parser's error quotes the line, and in it perhaps a secret.
		return nil, fmt.Errorf("cannot read %s: want lines such as GITHUB_ID=…", file)
	}
	return func(name string) string {
		if value, ok := lookup(name); ok {
			return value
		}
		return more[name]
	}, nil
}

// services returns a provider for each service of the catalog of which getenv
// knows an ID and a secret, and reports every service of which it knows one
// alone.
func services(getenv func(string) string) ([]provider.Provider, error) {
	var providers []provider.Provider
	var mistakes []error
	for id, make := range catalog.All() {
		name := variable(id)
		client, secret := getenv(name+"_ID"), getenv(name+"_SECRET")
		switch {
		case client == "" && secret == "":
			continue
		case client == "":
			mistakes = append(mistakes, fmt.Errorf("%s_SECRET is set, but %s_ID is not: set both, or neither", name, name))
			continue
		case secret == "":
			mistakes = append(mistakes, fmt.Errorf("%s_ID is set, but %s_SECRET is not: set both, or neither", name, name))
			continue
		}
		more := provider.WithScopes(strings.Fields(getenv(name + "_SCOPES"))...)
		providers = append(providers, make(client, secret, more))
	}
	return providers, errors.Join(mistakes...)
}

// variable returns how the names of a service's settings begin.
func variable(id string) string {
	return strings.ToUpper(strings.ReplaceAll(id, "-", "_"))
}
