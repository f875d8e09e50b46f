The library in the old town opened again. Many people came. The mayor spoke.

@highlight

Old library opens again

@highlight

Mayor speaks
