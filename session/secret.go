package session

import (
	"errors"
	"fmt"
	"strings"
)

const minSecret = 32

// checkSecrets returns what is wrong with each secret, without showing it.
//
// It finds secrets that nobody made at random. None of our documents prints one
// that would pass.
func checkSecrets(secret string, old []string) []error {
	var errs []error
	seen := map[string]string{}
	check := func(field, s string) {
		if why := weakness(s); why != "" {
			errs = append(errs, fmt.Errorf(
				"session: %s: want at least %d random bytes; make them with: openssl rand -base64 32 (this one %s)", field, minSecret, why))
		}
		if first, ok := seen[s]; ok && s != "" {
			errs = append(errs, fmt.Errorf("session: %s: is the same as %s", field, first))
		}
		seen[s] = field
	}
	check("Secret", secret)
	for i, s := range old {
		check(fmt.Sprintf("OldSecrets[%d]", i), s)
	}
	if len(old) > maxOldSecrets {
		errs = append(errs, errors.New("session: OldSecrets: want at most 4, because each is tried for every cookie"))
	}
	return errs
}

func weakness(s string) string {
	switch {
	case s == "":
		return "is empty"
	case strings.TrimSpace(s) != s:
		return "begins or ends with white space, such as the newline of a file, which another instance may not have"
	case len(s) < minSecret:
		return "is too short"
	case distinct(s) < 8:
		return "has fewer than 8 different bytes"
	case repeats(s):
		return "repeats itself"
	case stepsEvenly(s):
		return "counts up or down"
	}
	folded := strings.ToLower(s)
	for _, word := range [...]string{"changeme", "password", "example", "placeholder", "insecure", "replace", "your-secret"} {
		if strings.Contains(folded, word) {
			return "contains the word " + word
		}
	}
	return ""
}

func distinct(s string) int {
	var seen [256]bool
	n := 0
	for i := range len(s) {
		if !seen[s[i]] {
			seen[s[i]] = true
			n++
		}
	}
	return n
}

// repeats reports whether s is a shorter block over and over; the last may be
// cut off.
func repeats(s string) bool {
	for p := 1; p <= len(s)/2; p++ {
		if s[p:] == s[:len(s)-p] {
			return true
		}
	}
	return false
}

// stepsEvenly reports whether most bytes are the one before, or its neighbour.
func stepsEvenly(s string) bool {
	n := 0
	for i := 1; i < len(s); i++ {
		if d := int(s[i]) - int(s[i-1]); -1 <= d && d <= 1 {
			n++
		}
	}
	return 2*n > len(s)
}
