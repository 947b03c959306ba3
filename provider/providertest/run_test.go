package providertest_test

import (
	"testing"

	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/provider/providertest"
)

func TestRunOIDC(t *testing.T) {
	providertest.Run(t, func(t *testing.T, srv *providertest.Server) provider.Provider { return srv.Provider() })
}

func TestRunOAuth2(t *testing.T) {
	providertest.Run(t, func(t *testing.T, srv *providertest.Server) provider.Provider { return srv.OAuth2() })
}

func TestRunOAuth1(t *testing.T) {
	providertest.Run(t, func(t *testing.T, srv *providertest.Server) provider.Provider { return srv.OAuth1() })
}
