package provider

import (
	"net/http"
	"net/url"
)

// An Option changes a provider as it is made.
type Option interface{ apply(*options) }

type options struct {
	id, name      string
	formerIDs     []string
	scopes        []string
	params        url.Values
	client        *http.Client
	trustedEmails bool
}

type optionFunc func(*options)

func (f optionFunc) apply(o *options) { f(o) }

// WithScopes asks for more than the provider needs to log people in.
func WithScopes(scopes ...string) Option {
	return optionFunc(func(o *options) { o.scopes = append(o.scopes, scopes...) })
}

// WithID renames the provider, for two of a kind in one app.
func WithID(id string) Option {
	return optionFunc(func(o *options) { o.id = id })
}

// WithName changes what a button says.
func WithName(name string) Option {
	return optionFunc(func(o *options) { o.name = name })
}

// WithFormerID finds accounts that were made under another ID, if the issuer is
// the same.
func WithFormerID(ids ...string) Option {
	return optionFunc(func(o *options) { o.formerIDs = append(o.formerIDs, ids...) })
}

// WithParam sends a further parameter to the authorization page. One of the
// protocol's own, such as state or redirect_uri, is a mistake that
// [Checker.Check] reports.
func WithParam(key, value string) Option {
	return optionFunc(func(o *options) {
		if o.params == nil {
			o.params = url.Values{}
		}
		o.params.Add(key, value)
	})
}

// WithHTTPClient gives the provider's client another Transport and Timeout. The
// limit of one megabyte and the rules on redirects stay.
func WithHTTPClient(c *http.Client) Option {
	return optionFunc(func(o *options) { o.client = c })
}

// WithTrustedEmails believes the claim email_verified of a server that people
// of your own run, such as your company's Keycloak. Without it addresses from
// such a server are unverified, whatever it claims. It changes nothing for
// other services.
func WithTrustedEmails() Option {
	return optionFunc(func(o *options) { o.trustedEmails = true })
}

func makeOptions(opts []Option) options {
	var o options
	for _, opt := range opts {
		if opt != nil {
			opt.apply(&o)
		}
	}
	return o
}

// info returns i with what the options changed of it.
func (o options) info(i Info) Info {
	if o.id != "" {
		i.ID = o.id
	}
	if o.name != "" {
		i.Name = o.name
	}
	i.FormerIDs = append(append([]string(nil), i.FormerIDs...), o.formerIDs...)
	i.Hosts = append([]string(nil), i.Hosts...)
	return i
}
