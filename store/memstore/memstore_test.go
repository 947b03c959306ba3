package memstore_test

import (
	"testing"

	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/memstore"
	"github.com/gatepass/gatepass/store/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(*testing.T) store.Store { return memstore.New() })
}
