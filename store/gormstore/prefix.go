package gormstore

import (
	"fmt"
	"regexp"
)

// prefix is what our names begin with, in all SQL that is written here.
const prefix = "gatepass_"

// An Option changes what [Open] and [New] do.
type Option func(*dialect) error

// WithPrefix names the tables otherwise: with WithPrefix("shop_") they are
// shop_users, shop_accounts and so on, so that two apps can share a database, or
// an app can keep to its own way of naming. A prefix has at most thirty
// lower-case letters, digits and underscores, and begins with a letter.
//
// It belongs to the database like its name: a program that comes with another
// prefix finds nobody there. A model that embeds [User] needs a TableName that
// fits.
func WithPrefix(p string) Option {
	return func(d *dialect) error {
		if !regexp.MustCompile(`^[a-z][a-z0-9_]{0,29}$`).MatchString(p) {
			return fmt.Errorf("gormstore: want a prefix of at most 30 lower-case letters, digits and underscores that begins with a letter, got %q", p)
		}
		d.prefix = p
		return nil
	}
}
