package catalog

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/gatepass/gatepass/provider"
	"golang.org/x/oauth2"
)

// Discord logs people in with Discord:
// https://discord.com/developers/docs/topics/oauth2
//
// An address is verified if the member "verified" says so:
// https://discord.com/developers/docs/resources/user
//
// Tokens live for a week and come with a refresh token, so that the app can act
// for people who are away without more.
func Discord(id, secret string, opts ...provider.Option) provider.Provider {
	d := &provider.OAuth2{
		Info: provider.Info{
			ID: "discord", Name: "Discord",
			Setup: "https://discord.com/developers/applications",
			API:   "https://discord.com/api",
		},
		Endpoint: oauth2.Endpoint{
			AuthURL:  "https://discord.com/oauth2/authorize",
			TokenURL: "https://discord.com/api/oauth2/token",
		},
		Scopes:    []string{"identify", "email"},
		Profile:   discordProfile,
		RevokeURL: "https://discord.com/api/oauth2/token/revoke",
	}
	return d.New(id, secret, opts...)
}

// discordProfile reads the profile in code for the picture's sake: its address
// ends in .gif or .png by how its hash begins, and is computed for a person who
// has none. https://discord.com/developers/docs/reference#image-formatting
func discordProfile(ctx context.Context, c *http.Client, _ provider.Token) (provider.Identity, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://discord.com/api/users/@me", nil)
	if err != nil {
		return provider.Identity{}, err
	}
	resp, err := c.Do(req)
	if err != nil {
		return provider.Identity{}, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body) // c has a limit
	if err != nil {
		return provider.Identity{}, err
	}
	if resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests {
		return provider.Identity{}, fmt.Errorf("profile: %w: status %d", provider.ErrUnavailable, resp.StatusCode)
	}
	if resp.StatusCode != http.StatusOK {
		return provider.Identity{}, fmt.Errorf("profile: status %d", resp.StatusCode)
	}
	var u struct {
		ID         string
		Username   string
		GlobalName string `json:"global_name"`
		Avatar     string
		Email      string
		Verified   bool
		Locale     string
	}
	if err := json.Unmarshal(raw, &u); err != nil {
		return provider.Identity{}, fmt.Errorf("profile: %w", err)
	}
	if u.GlobalName == "" {
		u.GlobalName = u.Username
	}
	return provider.Identity{
		Subject:       u.ID,
		Email:         u.Email,
		EmailVerified: u.Verified && u.Email != "",
		Name:          u.GlobalName,
		Username:      u.Username,
		AvatarURL:     discordAvatar(u.ID, u.Avatar),
		Locale:        u.Locale,
		Raw:           raw,
	}, nil
}

func discordAvatar(id, hash string) string {
	if hash == "" {
		n, _ := strconv.ParseUint(id, 10, 64)
		return fmt.Sprintf("https://cdn.discordapp.com/embed/avatars/%d.png", n>>22%6)
	}
	if strings.HasPrefix(hash, "a_") {
		return "https://cdn.discordapp.com/avatars/" + id + "/" + hash + ".gif"
	}
	return "https://cdn.discordapp.com/avatars/" + id + "/" + hash + ".png"
}
