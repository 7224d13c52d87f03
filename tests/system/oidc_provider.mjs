// A certified OpenID provider (npm: oidc-provider), whose people are those of the test. argv: port, back, folder of node_modules
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [port, back, modules] = process.argv.slice(2);
const found = createRequire(`${modules}/`).resolve("oidc-provider");
const { Provider } = await import(pathToFileURL(found));
const roles = { li: ["doctor"], anna: ["nurse", "staff"], cook: ["kitchen"], both: ["doctor", "engineer"] };

const provider = new Provider(`http://localhost:${port}`, {
  clients: [{ client_id: "wardlink", client_secret: "a secret of the test", redirect_uris: [back] }],
  claims: { openid: ["sub"], profile: ["preferred_username", "roles", "sites"] },
  conformIdTokenClaims: false,
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, preferred_username: id, roles: roles[id] ?? [], sites: ["north"] }),
  }),
});
provider.listen(Number(port), () => console.log("ready"));
