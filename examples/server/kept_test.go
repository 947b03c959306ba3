package main

import (
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestSecretFile(t *testing.T) {
	db := file(t)
	made, err := findSecret("", db)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(db + ".secret")
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode() != 0o600 {
		t.Errorf("got mode %v, want -rw-------", info.Mode())
	}
	again, err := findSecret("", db)
	if err != nil || again.value != made.value {
		t.Errorf("the second start finds another secret: %v", err)
	}
	if set, err := findSecret("the-one-that-is-set", db); err != nil || set.value != "the-one-that-is-set" {
		t.Errorf("got %v, %v, want the one that is set", set, err)
	}
	if strings.Contains(made.from, made.value) {
		t.Error("what the program says holds the secret")
	}
}

func TestSecretFileThatIsNoGood(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no modes")
	}
	db := file(t)
	write(t, db+".secret", strings.Repeat("x", 44))
	if err := os.Chmod(db+".secret", 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := findSecret("", db); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a secret that others can read: got %v", err)
	}
	db = file(t)
	write(t, db+".secret", "short")
	if _, err := findSecret("", db); err == nil || !strings.Contains(err.Error(), "no whole secret") {
		t.Errorf("half a secret: got %v", err)
	}
}

func TestDatabaseIsForItsOwnerAlone(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no modes")
	}
	db := file(t)
	w := newWorldIn(t, db)
	w.visitor().login("github")
	files, err := filepath.Glob(db + "*")
	if err != nil || len(files) == 0 {
		t.Fatalf("got %v, %v", files, err)
	}
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != 0o600 {
			t.Errorf("%s: got mode %v, want -rw-------", f, info.Mode())
		}
	}
}

func TestRestartKeepsPeople(t *testing.T) {
	w := newWorldIn(t, file(t))
	v := w.visitor()
	v.login("github")
	w.restart()
	v.get("/").is(http.StatusOK, "/").sees("Welcome, Michael!")
	v.get("/github").is(http.StatusOK, "/github").sees("You are @mjhea0 on GitHub")

	// With a new secret and the old one kept, too; without it, nobody.
	old := w.cfg.Secret
	w.cfg.Secret, w.cfg.OldSecrets = mustSecret(t), []string{old}
	w.restart()
	v.get("/").sees("Welcome, Michael!")
	v.get("/github").sees("You are @mjhea0 on GitHub")
	w.cfg.Secret, w.cfg.OldSecrets = mustSecret(t), nil
	w.restart()
	v.get("/").sees("Log in with GitHub")
}
