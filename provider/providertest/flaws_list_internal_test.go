package providertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/gatepass/gatepass/provider"
)

func flaws() []flaw {
	return slices.Concat(beginFlaws(), loginFlaws(), bindingFlaws(), failureFlaws(), tokenFlaws(), furtherFlaws())
}

func beginFlaws() []flaw {
	return []flaw{{
		name: "Info counts", breaks: []string{"InfoNeverChanges"},
		bend: func(_ *Server, b *bent) {
			var n atomic.Int32
			b.info = func(i provider.Info) provider.Info { i.Name += fmt.Sprint(n.Add(1)); return i }
		},
	}, {
		name: "Info asks the service", breaks: []string{"InfoNeverChanges"},
		bend: func(srv *Server, b *bent) {
			b.info = func(i provider.Info) provider.Info {
				if resp, err := srv.Client().Get(srv.URL + "/jwks"); err == nil {
					resp.Body.Close()
				}
				return i
			}
		},
	}, {
		name: "Setup is plain http", breaks: []string{"InfoIsUsable"},
		bend: func(_ *Server, b *bent) {
			b.info = func(i provider.Info) provider.Info { i.Setup = "http://vendor.example.test"; return i }
		},
	}, {
		name: "no Name", breaks: []string{"InfoIsUsable"},
		bend: func(_ *Server, b *bent) {
			b.info = func(i provider.Info) provider.Info { i.Name = ""; return i }
		},
	}, {
		name: "user in the URL", breaks: []string{"BeginLeadsToTheService"},
		bend: func(_ *Server, b *bent) {
			beginning(b, nil, func(_ provider.Request, rd *provider.Redirect) {
				rd.URL = strings.Replace(rd.URL, "://", "://me@", 1)
			})
		},
	}, {
		name: "state not escaped", breaks: []string{"StateComesBack"},
		bend: func(_ *Server, b *bent) {
			beginning(b, func(req *provider.Request) { req.State = strings.ReplaceAll(req.State, "+", " ") }, nil)
		},
	}, {
		name: "callback without its query", breaks: []string{"StateComesBack"},
		bend: func(_ *Server, b *bent) {
			beginning(b, func(req *provider.Request) { req.CallbackURL, _, _ = strings.Cut(req.CallbackURL, "?") }, nil)
		},
	}, {
		name: "one redirect for a request", breaks: []string{"BeginIsNewEachTime"},
		bend: func(_ *Server, b *bent) {
			var kept sync.Map
			beginning(b, nil, func(req provider.Request, rd *provider.Redirect) {
				first, _ := kept.LoadOrStore(req.State, *rd)
				*rd = first.(provider.Redirect)
			})
		},
	}, {
		name: "long Memo", breaks: []string{"MemoIsShort"},
		bend: func(_ *Server, b *bent) {
			beginning(b, nil, func(_ provider.Request, rd *provider.Redirect) { rd.Memo += strings.Repeat(" ", 1000) })
			b.complete = func(ctx context.Context, cb provider.Callback) (provider.Identity, provider.Token, error) {
				return b.Provider.Complete(ctx, withMemo(cb, strings.TrimRight(cb.Memo(), " ")))
			}
		},
	}, {
		name: "Memo in the URL", breaks: []string{"SecretsStayOutOfTheURL"},
		bend: func(_ *Server, b *bent) {
			beginning(b, nil, func(_ provider.Request, rd *provider.Redirect) { *rd = addParam(*rd, "trace", rd.Memo) })
		},
	}, {
		name: "client secret in the URL", breaks: []string{"SecretsStayOutOfTheURL"},
		bend: func(_ *Server, b *bent) {
			beginning(b, nil, func(_ provider.Request, rd *provider.Redirect) { *rd = addParam(*rd, "app", ClientSecret) })
		},
	}, {
		name: "verifier in the URL", breaks: []string{"SecretsStayOutOfTheURL"}, base: oidcBase,
		bend: func(_ *Server, b *bent) {
			beginning(b, nil, func(_ provider.Request, rd *provider.Redirect) {
				u, _ := url.Parse(rd.URL)
				for _, part := range strings.FieldsFunc(rd.Memo, func(r rune) bool { return strings.ContainsRune(`."{}:,; `, r) }) {
					if challenge(part) == u.Query().Get("code_challenge") {
						*rd = addParam(*rd, "trace", part)
					}
				}
			})
		},
	}, {
		name: "further scopes forgotten", breaks: []string{"BeginAsksForScopes"},
		bend: func(_ *Server, b *bent) {
			beginning(b, func(req *provider.Request) { req.Scopes = nil }, nil)
		},
	}, {
		name: "params forgotten", breaks: []string{"ParamsAreAdded"},
		bend: func(_ *Server, b *bent) {
			beginning(b, func(req *provider.Request) { req.Params = nil }, nil)
		},
	}, {
		name: "params replace", breaks: []string{"ParamsReplaceNothing"},
		bend: func(_ *Server, b *bent) {
			beginning(b, func(req *provider.Request) { req.Params = nil }, func(req provider.Request, rd *provider.Redirect) {
				u, _ := url.Parse(rd.URL)
				q := u.Query()
				for name := range req.Params {
					q.Set(name, req.Params.Get(name))
				}
				u.RawQuery = q.Encode()
				rd.URL = u.String()
			})
		},
	}, {
		name: "params come twice", breaks: []string{"ParamsReplaceNothing"},
		bend: func(_ *Server, b *bent) {
			beginning(b, func(req *provider.Request) { req.Params = nil }, func(req provider.Request, rd *provider.Redirect) {
				for name := range req.Params {
					*rd = addParam(*rd, name, req.Params.Get(name))
				}
			})
		},
	}, {
		name: "Reauth forgotten", breaks: []string{"ReauthAsksAgain"}, base: oidcBase,
		bend: func(_ *Server, b *bent) {
			beginning(b, func(req *provider.Request) { req.Reauth = false }, nil)
		},
	}, {
		name: "PostsBack is a guess", breaks: []string{"PostsBackIsTrue"},
		bend: func(_ *Server, b *bent) {
			b.info = func(i provider.Info) provider.Info { i.PostsBack = true; return i }
		},
	}}
}

func loginFlaws() []flaw {
	return []flaw{{
		name: "Provider of another", breaks: []string{"IdentityIsWhole"},
		bend: func(_ *Server, b *bent) {
			saying(b, func(_ provider.Callback, id *provider.Identity, _ *provider.Token) { id.Provider = "google" })
		},
	}, {
		name: "no issuer", breaks: []string{"IdentityIsWhole"},
		bend: func(_ *Server, b *bent) {
			saying(b, func(_ provider.Callback, id *provider.Identity, _ *provider.Token) { id.Issuer = "" })
		},
	}, {
		name: "handle in the subject", breaks: []string{"SubjectStays"},
		bend: func(_ *Server, b *bent) {
			saying(b, func(_ provider.Callback, id *provider.Identity, _ *provider.Token) { id.Subject += id.Username })
		},
	}, {
		name: "address as subject", breaks: []string{"SubjectStays", "SubjectsDiffer"},
		bend: func(_ *Server, b *bent) {
			saying(b, func(_ provider.Callback, id *provider.Identity, _ *provider.Token) { id.Subject = "mailto:" + id.Email })
		},
	}, {
		name: "subject cut", breaks: []string{"SubjectsDiffer", "ManyAtOnce"},
		bend: func(_ *Server, b *bent) {
			saying(b, func(_ provider.Callback, id *provider.Identity, _ *provider.Token) { id.Subject = id.Subject[:6] })
		},
	}, {
		name: "issuer of the hour", breaks: []string{"IssuerStays"},
		bend: func(_ *Server, b *bent) {
			saying(b, func(_ provider.Callback, id *provider.Identity, _ *provider.Token) { id.Issuer += secret("x") })
		},
	}, {
		name: "pictures from anywhere", breaks: []string{"URLsAreHTTPS"},
		bend: func(_ *Server, b *bent) {
			saying(b, func(_ provider.Callback, id *provider.Identity, _ *provider.Token) {
				var p struct {
					Avatar string `json:"avatar_url"`
				}
				id.Claims(&p)
				id.AvatarURL = p.Avatar
			})
		},
	}, {
		name: "token in Raw", breaks: []string{"IdentityHoldsNoSecrets"},
		bend: func(_ *Server, b *bent) {
			saying(b, func(_ provider.Callback, id *provider.Identity, tok *provider.Token) {
				id.Raw, _ = json.Marshal(tok)
			})
		},
	}, {
		name: "people are mixed up", breaks: []string{"ManyAtOnce"},
		bend: func(_ *Server, b *bent) {
			// Where many are under way, everyone becomes who came first.
			var mu sync.Mutex
			var underway int
			var first *provider.Identity
			beginning(b, nil, func(provider.Request, *provider.Redirect) {
				mu.Lock()
				underway++
				mu.Unlock()
			})
			saying(b, func(_ provider.Callback, id *provider.Identity, _ *provider.Token) {
				mu.Lock()
				defer mu.Unlock()
				if underway < 20 {
					return
				}
				if first == nil {
					first = id
				}
				*id = *first
			})
		},
	}}
}

func bindingFlaws() []flaw {
	return []flaw{{
		name: "Memo kept in the process", breaks: []string{"NothingIsKept"},
		bend: func(_ *Server, b *bent) {
			var kept sync.Map
			beginning(b, nil, func(_ provider.Request, rd *provider.Redirect) {
				key := secret("memo")
				kept.Store(key, rd.Memo)
				rd.Memo = key
			})
			b.complete = func(ctx context.Context, cb provider.Callback) (provider.Identity, provider.Token, error) {
				memo, _ := kept.Load(cb.Memo())
				text, _ := memo.(string)
				return b.Provider.Complete(ctx, withMemo(cb, text))
			}
		},
	}, {
		name: "answers kept by code", breaks: []string{"CallbackWorksOnce"},
		bend: func(_ *Server, b *bent) {
			type answer struct {
				id  provider.Identity
				tok provider.Token
			}
			var kept sync.Map
			b.complete = func(ctx context.Context, cb provider.Callback) (provider.Identity, provider.Token, error) {
				if a, ok := kept.Load(cb.Param("code")); ok {
					return a.(answer).id, a.(answer).tok, nil
				}
				id, tok, err := b.Provider.Complete(ctx, cb)
				if err == nil {
					kept.Store(cb.Param("code"), answer{id, tok})
				}
				return id, tok, err
			}
		},
	}, {
		name: "nonce never compared", breaks: []string{"MemoOfAnotherLogin"}, base: noPKCE,
		bend: func(_ *Server, b *bent) {
			beginning(b, nil, func(_ provider.Request, rd *provider.Redirect) { *rd = addParam(*rd, "nonce", secret("nonce")) })
		},
	}, {
		name: "Memo never looked at", breaks: []string{"MemoLost"}, base: noPKCE,
		bend: func(_ *Server, b *bent) {
			beginning(b, nil, func(_ provider.Request, rd *provider.Redirect) { rd.Memo = secret("memo") })
			b.complete = func(ctx context.Context, cb provider.Callback) (provider.Identity, provider.Token, error) {
				return b.Provider.Complete(ctx, withMemo(cb, ""))
			}
		},
	}, {
		name: "callback says who", breaks: []string{"CallbackDecidesNothing"},
		bend: func(_ *Server, b *bent) {
			saying(b, func(cb provider.Callback, id *provider.Identity, _ *provider.Token) {
				if s := cb.Param("user_id"); s != "" {
					id.Subject = s
				}
			})
		},
	}, {
		name: "guest without a code", breaks: []string{"CallbackWithoutCode"},
		bend: func(_ *Server, b *bent) {
			b.complete = func(ctx context.Context, cb provider.Callback) (provider.Identity, provider.Token, error) {
				if len(cb.Params()) == 1 {
					return provider.Identity{Provider: "test-oauth2", Issuer: "x", Subject: "guest"}, provider.Token{AccessToken: "x"}, nil
				}
				return b.Provider.Complete(ctx, cb)
			}
		},
	}, {
		name: "denial is any error", breaks: []string{"DenialIsErrDenied"},
		bend: func(_ *Server, b *bent) {
			failing(b, func(_ provider.Callback, err error) error {
				return &provider.Error{Provider: "test-oauth2", Op: "exchange", Err: errors.New("it did not work")}
			})
		},
	}, {
		name: "any error is denial", breaks: []string{"FailureIsNotDenial"},
		bend: func(_ *Server, b *bent) {
			failing(b, func(_ provider.Callback, err error) error {
				return &provider.Error{Provider: "test-oauth2", Op: "exchange", Err: provider.ErrDenied}
			})
		},
	}}
}
