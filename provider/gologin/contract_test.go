package gologin_test

import (
	"testing"

	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/provider/providertest"
)

func TestContractOAuth2(t *testing.T) {
	providertest.Run(t, func(t *testing.T, srv *providertest.Server) provider.Provider {
		return house(srv).New()
	})
}

func TestContractOAuth1(t *testing.T) {
	providertest.Run(t, func(t *testing.T, srv *providertest.Server) provider.Provider {
		return barn(srv).New()
	})
}
