/** Ends an HTTP server, whoever is still being served. */
import type { Server } from 'node:http';

/** Listens no more; answers under way are cut off. */
export async function closeServer(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => void server.close(() => resolve()));
  server.closeAllConnections();
  await closed;
}
