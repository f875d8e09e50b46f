// Who is here and what is served: read once, and again after a key, a login or a change of models.
import * as api from "./api";
import { ServerError } from "./server";

const state = $state({
  me: null as api.Person | null,
  models: [] as api.Model[],
  examples: [] as string[],
  error: null as unknown,
  loading: true,
});

export const session = () => state;

/** Models that write; the first answers whoever names none. */
export const writers = (): api.Model[] => state.models.filter((model) => model.defaults);

export const mustLogIn = (): boolean => state.error instanceof ServerError && state.error.status === 401;

export async function loadSession(): Promise<void> {
  state.loading = true;
  try {
    [state.me, state.models, state.examples] = await Promise.all([api.me(), api.models(), api.examples()]);
    state.error = null;
  } catch (error) {
    state.error = error;
  }
  state.loading = false;
}
