<?php
// A queue over memcached's protocol, from PHP: `set` adds, `get` takes the oldest. The port is the queue door's.

[$host, $port] = explode(':', getenv('SPOOLD_QUEUE_AT') ?: 'localhost:22133');
$queue = new Memcached();
$queue->addServer($host, (int) $port);

$queue->set('jobs', 'first');
$queue->set('jobs', 'second');
var_dump($queue->get('jobs'));
var_dump($queue->get('jobs/open'));
var_dump($queue->get('jobs/close'));
var_dump($queue->get('jobs'));
