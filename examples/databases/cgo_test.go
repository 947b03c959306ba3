//go:build cgo

package databases_test

import (
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
)

func withC() []database {
	return []database{{
		name: "SQLite", kind: "sqlite", driver: sqlite.DriverName, fresh: file,
		dialector: func(dsn string, conn gorm.ConnPool) gorm.Dialector {
			return &sqlite.Dialector{DSN: dsn, Conn: conn}
		},
	}}
}
