// npm's `prepare`: tells npm start and npm test that node_modules is what the lock file says.
import { writeStamp } from './lib/setup.mjs';

writeStamp();
