#!/usr/bin/env node
// Backup and rescue of replicas: lockstep --help. Compiled from src/operate/.
import { main } from "../dist/operate/main.js";

process.exitCode = await main(process.argv.slice(2));
