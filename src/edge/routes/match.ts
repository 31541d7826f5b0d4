import { EVERY_ROUTE, ROUTES, type RouteName } from "../../api/index.ts";
import { HttpError } from "../http.ts";

const PATTERNS = EVERY_ROUTE.map(({ method, path }, i) => ({
  name: Object.keys(ROUTES)[i] as RouteName,
  method: method as string,
  pattern: new RegExp(`^${path.replaceAll(".", "\\.").replace(/:(\w+)/g, "(?<$1>[^/]+)")}/*$`),
}));

/**
 * The route of a request, and the parameters of its path as they were sent.
 * @throws HttpError `not_found`, or `method_not_allowed` where the path has other methods
 */
export function routeOf(
  method: string,
  path: string,
): { readonly name: RouteName; readonly params: Readonly<Record<string, string>> } {
  const methods: string[] = [];
  for (const route of PATTERNS) {
    const match = route.pattern.exec(path);
    if (match === null) continue;
    if (route.method === method) return { name: route.name, params: match.groups ?? {} };
    methods.push(route.method);
  }
  if (methods.length === 0) throw new HttpError("not_found", "no such route");
  const allow = { Allow: methods.join(", ") };
  throw new HttpError("method_not_allowed", `${method} is not a method of this route`, {}, allow);
}
