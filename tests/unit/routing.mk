# routing
